"""The record of placements: what was decided about which VM, and what had been asked for."""

from __future__ import annotations

from minicloud.store import placement as placements
from minicloud.store.placement import Record

from .authorisation import project_of, scope
from .context import Actor, Context
from .cursor import check_limit, cut, read_number
from .view.page import Page
from .view.placement import RecordView


def list(
    ctx: Context, actor: Actor, *, limit: int = 50, cursor: str | None = None, project: str | None = None
) -> Page[RecordView]:
    """Decisions about VMs that the actor may see, deleted ones too, the newest first.

    :raises NotFoundError: when ``project`` is another's.
    """
    check_limit(limit)
    within = scope(actor) if project is None else project_of(actor, project)
    with ctx.read() as session:
        rows = placements.records(session, before=read_number(cursor), limit=limit + 1, project=within)
        return cut(rows, limit, _show, lambda row: row.number)


def _show(row: Record) -> RecordView:
    return RecordView(
        vm=row.vm,
        name=row.name,
        project=row.project,
        operation=row.operation,
        host=row.host,
        at=row.at,
        ended_at=row.ended_at,
        policy=row.policy,
        policy_version=row.policy_version,
        request=row.request,
    )
