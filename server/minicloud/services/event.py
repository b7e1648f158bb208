"""Events, for streams that resume."""

from __future__ import annotations

from collections.abc import Sequence

from minicloud.store import event as events
from minicloud.store.event import EventRow

from .authorisation import scope
from .context import Actor, Context
from .cursor import check_limit
from .view.event import EventView


def after(
    ctx: Context, actor: Actor, last: int, *, limit: int = 200, vm: str | None = None, operation: str | None = None
) -> tuple[EventView, ...]:
    """Events that follow event number ``last`` and are the actor's to see, in order.

    :param vm: only those of that VM's id.
    :param operation: only those of that operation's id.
    """
    with ctx.read() as session:
        rows = events.after(
            session, last=last, limit=check_limit(limit), project=scope(actor), vm=vm, operation=operation
        )
        return tuple(_show(row) for row in rows)


def news(ctx: Context, last: int, *, limit: int) -> Sequence[tuple[int, str | None]]:
    """The numbers of the events after number ``last``, in order, each with the operation that it tells of."""
    with ctx.read() as session:
        return events.news(session, last=last, limit=limit)


def latest(ctx: Context) -> int:
    """The number of the last event; 0 before the first."""
    with ctx.read() as session:
        return events.latest(session)


def _show(row: EventRow) -> EventView:
    return EventView(
        id=row.id,
        at=row.at,
        kind=row.kind,
        vm=row.vm,
        operation=row.operation,
        host=row.host,
        project=row.project,
        actor=row.actor,
        request_id=row.request_id,
        reason=row.reason,
        data=row.data,
    )
