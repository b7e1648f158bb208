"""The record of placements: what was decided, about which VM or for want of a host about none, and what was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from minicloud_core.model.errors import NoCapacityError, NotFoundError
from minicloud_core.scheduler.decision import Decision

from minicloud.store import placement as placements
from minicloud.store.placement import Wanted
from minicloud.store.store import Session

from .authorisation import may_see, project_of, scope
from .context import Actor, Context
from .cursor import check_limit, cut, read_number
from .view.page import Page
from .view.placement import DecisionView, RecordView, show_decision, show_record
from .vm_wish import VmWish

# Decisions without a host that are kept of each project, the latest ones: nobody's tries without end fill the database.
REFUSALS_KEPT: Final = 200


@dataclass(frozen=True)
class Refusal:
    """A wish that no host would take, with what it is told."""

    wish: VmWish
    decision: Decision
    error: NoCapacityError

    @classmethod
    def of(cls, wish: VmWish, decision: Decision) -> Refusal:
        """To be made while the fleet is as it was decided by."""
        return cls(wish, decision.put_down(), decision.no_capacity())


def make_room(session: Session, refusals: Collection[Refusal]) -> None:
    """Have the oldest go of those that were kept before, so that there are ``REFUSALS_KEPT`` with these.

    Their projects' rows are locked, so that nobody else counts meanwhile.
    """
    for project, many in Counter(one.wish.project for one in refusals).items():
        placements.prune(session, project, keep=max(0, REFUSALS_KEPT - many))


def keep(ctx: Context, session: Session, refusal: Refusal) -> None:
    """Keep what was refused, and why."""
    wish, record = refusal.wish, refusal.decision.record
    kept = {
        "at": ctx.clock.now(),
        "decision": {**record, "request": _without_id(record["request"])},
        "name": wish.spec.name,
        "project": wish.project,
        "actor": wish.actor.name,
        "request_id": wish.actor.request_id,
    }
    placements.add(session, kept)


def _without_id(request: Mapping[str, Any]) -> dict[str, Any]:
    """The id that the VM would have had is another's now."""
    return {name: value for name, value in request.items() if name != "vm"}


def list(
    ctx: Context,
    actor: Actor,
    *,
    limit: int = 50,
    cursor: str | None = None,
    name: str | None = None,
    host: str | None = None,
    refused: bool | None = None,
    project: str | None = None,
) -> Page[RecordView]:
    """Decisions that the actor may see, those about deleted VMs and those without one too, the newest first.

    :param refused: only those without a host, or only those with one; None, as of the other filters, for all.
    :raises NotFoundError: when ``project`` is another's.
    """
    check_limit(limit)
    within = scope(actor) if project is None else project_of(actor, project)
    wanted = Wanted(project=within, name=name, host=host, refused=refused)
    with ctx.read() as session:
        rows = placements.records(session, wanted, before=read_number(cursor), limit=limit + 1)
        return cut(rows, limit, show_record, lambda row: row.number)


def get(ctx: Context, actor: Actor, number: int) -> DecisionView:
    """One decision with all that it says.

    :raises NotFoundError: when there is none of that number for this actor.
    """
    with ctx.read() as session:
        found = placements.find(session, number)
        if found is None or not may_see(actor, found[0].project):
            raise NotFoundError(f"There is no placement {number}", hint="list them: GET /v1/placements")
        return show_decision(*found)
