"""Deciding on a snapshot without a lock, and committing only while the chosen host is as it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from minicloud_core.model.reason import Reason
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.request import Request

from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store import placement as placements
from minicloud.store import reservation as reservations
from minicloud.store.image import ImageRow
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import precedence
from .context import SYSTEM, Context
from .snapshot import take_snapshot
from .standing_fleet import StandingFleet
from .state import Deed, expire_reservations, explain_operation
from .vm_wish import VmWish

Answer = TypeVar("Answer")
# NUMA nodes of a host by their place among them; none for a VM that asks for none.
Nodes = tuple[int, ...]


class OvertakenError(Exception):
    """A host that was decided for has changed meanwhile."""


def take(
    ctx: Context,
    request: Request,
    fleet: Fleet,
    *,
    prepare: Callable[[Session], Answer | None],
    commit: Callable[[Session, Decision, Nodes], Answer],
) -> Answer:
    """Find room and take it.

    One that was overtaken decides again, in the same transaction, with every host locked: a crowd may delay a request,
    but not starve it. Creates go another way, many at once (``admission``).

    :param fleet: the fleet as the caller read it, with whatever else it decides by.
    :param prepare: the first thing in the transaction: takes its locks, writes nothing. An answer other than None
        ends the search.
    :param commit: writes what takes the room, on those NUMA nodes of the host. It runs only while the chosen host's
        generation is the decision's.
    :raises NoCapacityError: when no host can take it, with each host's reasons.
    """
    decision = decide(ctx, fleet, request)
    with ctx.write("operations") as session:
        answer = prepare(session)
        if answer is not None:
            return answer
        if not _advance(session, fleet, decision):
            hosts.lock_all(session)
            fleet = take_snapshot(session, ctx.clock.now()).fleet
            decision = decide(ctx, fleet, request)
            _advance(session, fleet, decision)
        _end_lapsed(Deed.of(ctx, session, SYSTEM), decision)
        return commit(session, decision, _nodes(ctx, fleet, request, decision))


def advance(deed: Deed, fleet: StandingFleet, shares: Mapping[str, int]) -> None:
    """Have the hosts of which a transaction takes room changed by it, and by nobody else since they were decided for.

    :param fleet: what was decided by, lent to this transaction.
    :param shares: for each such host how many shares are written there, less those that are taken back.
    :raises OvertakenError: when somebody else has changed one. Then nothing of the transaction may be kept.
    """
    if not fleet.advance(deed.session, shares):
        raise OvertakenError
    lapsed = fleet.lapsed(shares)
    if lapsed:
        expire_reservations(deed, lapsed)


def rehearse(ctx: Context, session: Session, wish: VmWish, image: ImageRow) -> Decision:
    """Where a VM would go now, on the fleet that is kept.

    :raises InputError: when the wish names a VM that is not there.
    """
    with ctx.fleet.lent() as fleet:
        scheduler = fleet.scheduler(session, ctx.policy.current(), ctx.clock.now())
        request = wish.request(image, fleet.names)
        return precedence.place(session, scheduler, request, now=ctx.clock.now().timestamp()).put_down()


def decide(ctx: Context, fleet: Fleet, request: Request) -> Decision:
    """The scheduler's decision by the policy that counts now and the context's clock.

    :param fleet: the caller's own: a VM that moves is counted nowhere in it from now on.
    """
    if request.source is not None and fleet.where(request.vm or "") == request.source:
        fleet.remove(str(request.vm))
    return place(fleet, request, ctx.policy.current(), now=ctx.clock.now().timestamp())


def allocate(deed: Deed, vm: VmRow, host: str, nodes: Nodes, beside: Request | None = None) -> None:
    """Promise a host's share to a VM. The host's generation was moved on in this transaction.

    :param nodes: the host's NUMA nodes on which it lies.
    :param beside: what it needs beside the shares of those who are to leave for it; None for all that it needs.
    """
    needs = vm if beside is None else beside
    share: dict[str, Any] = {"cpu": int(needs.cpu), "ram_mib": needs.ram_mib, "disk_bytes": vm.disk_bytes}
    share["nodes"] = [*nodes] if nodes else None
    allocations.add(deed.session, {"vm": vm.id, "host": host, **share, "created_at": deed.at})


def keep(deed: Deed, vm: VmRow, operation: OperationRow, decision: Decision) -> None:
    """Keep a decision with all its reasons, and its gist with the operation."""
    explain_operation(deed, operation, gist(decision))
    kept = {"vm": vm.id, "operation": operation.id, "host": decision.host, "at": deed.at, "decision": decision.record}
    placements.add(deed.session, kept)


def gist(decision: Decision) -> Reason:
    """A decision for a host, in one sentence."""
    assert decision.score is not None
    accepted, refused = decision.record["hosts"]["accepted"], decision.record["hosts"]["refused"]
    others = f"is the best of {accepted}" if accepted > 1 else "is the only one that will do"
    if decision.preempts:
        leaving = ", ".join(f"{victim.vm} (priority {victim.priority})" for victim in decision.preempts)
        others = f"will do once {leaving} made room,"
    message = f"{decision.host} {others} with a score of {decision.score:.3f}"
    numbers = {
        "score": decision.score,
        "accepted": accepted,
        "refused": refused,
        "policy": decision.policy,
        "policy_version": decision.policy_version,
    }
    return Reason("placement", f"{message}; {refused} refused" if refused else message, numbers)


def _advance(session: Session, fleet: Fleet, decision: Decision) -> bool:
    if decision.host is None:
        raise decision.no_capacity()
    host = fleet.host(decision.host)
    assert host is not None
    return hosts.advance(session, host.id, host.generation)


def _nodes(ctx: Context, fleet: Fleet, request: Request, decision: Decision) -> Nodes:
    """The NUMA nodes on which a VM lies where it was decided to go."""
    if not request.numa:
        return ()
    assert decision.host is not None
    # The VM may be in the fleet where it comes from.
    place = f"{request.vm}@{decision.host}"
    Scheduler(fleet, ctx.policy.current()).settle(place, decision.host, request)
    nodes = fleet.nodes_of(place)
    fleet.remove(place)
    return nodes


def _end_lapsed(deed: Deed, decision: Decision) -> None:
    """End the reservations whose room on the host counted as free."""
    assert decision.host is not None
    lapsed = reservations.lapsed_on(deed.session, decision.host, deed.at)
    if lapsed:
        expire_reservations(deed, lapsed)
