"""Making room: VMs are stopped for one of higher priority, and keep what they have until it is taken.

Each step is one transaction, and leaves in the database all that the next one needs; the reconciler begins the next.

1. ``begin``, with the create: each VM is told for whom it makes room, and its stop is queued. The create waits. Beside
   its share the new VM holds what it needs beyond theirs, so that nobody else takes what it was promised.
2. ``take_place``, once all are off: in one moment what they had goes back, and what the new VM needs is taken.
3. ``give_up``, when one of them cannot be stopped, or there is no room after all: the create fails.
4. ``release``, whenever the create waits no longer, whatever the reason: who still has room keeps it, and starts again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from minicloud_core.model.errors import ConflictError, NoCapacityError
from minicloud_core.model.reason import Reason
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.preemption import Victim, left_behind, name_of_disks
from minicloud_core.scheduler.request import Request

from minicloud.store import allocation as allocations
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import allocation, change
from .completion import settle
from .context import SYSTEM, Context
from .precedence import may_leave
from .queue import MAKES_ROOM
from .snapshot import request_of
from .standing_fleet import StandingFleet
from .state import Deed, ask_to_yield, explain_operation, house_vm, move_operation, preempt_vm
from .verb import Change, locked
from .withdrawal import withdraw

# The rules by which no host is ever over a limit. The others let the create in, and count no more: no cordon, say.
_LIMITS: Final = frozenset({"cpu", "memory", "numa", "disk", "pools", "bandwidth"})


class _NoRoomError(Exception):
    """Others have left, and yet there is no room; with the reasons in words."""


def hold(session: Session, victims: Sequence[Victim]) -> bool:
    """Lock VMs that are to leave.

    :returns: False when somebody has other plans with one of them by now.
    """
    ids = {victim.vm for victim in victims}
    vms.lock_many(session, ids)
    return may_leave(session, ids) == ids


def begin(deed: Deed, heir: str, priority: int, victims: Sequence[Victim]) -> tuple[str, ...]:
    """Have VMs make room for another that is about to be written. They are locked, and may leave.

    :param heir: the id of the VM that takes their place, and ``priority`` its priority.
    :returns: the operations that stop them; none for those that are off already.
    """
    reason = Reason(MAKES_ROOM, f"makes room for {heir} of priority {priority}", {"for": heir, "priority": priority})
    actor = SYSTEM.on(deed.request_id)
    ours = replace(deed, actor=actor.name)
    stops = []
    for vm in vms.lock_many(deed.session, {victim.vm for victim in victims}).values():
        stop = Change(deed.ctx, actor, "stop", {}, reason=reason, correction=True)
        operation = change.carry_out(stop, ours, vm).operation
        stops += [] if operation is None else [operation.id]
        ask_to_yield(ours, vm, heir, reason.message)
    return tuple(stops)


def take_place(ctx: Context, operation: str) -> str | None:
    """Take the room of those who have left, and let the create that waits for it go on.

    :returns: the operation; None when the create failed, since there is no room after all.
    :raises ConflictError: when it does not wait any more, or not all have left.
    """
    with ctx.read() as session:
        _check_all_left(session, operation)
    try:
        _take_place(ctx, operation)
    except _NoRoomError as error:
        give_up(ctx, operation, Reason("preemption.no_room", str(error)))
        return None
    return operation


def _take_place(ctx: Context, operation: str) -> None:
    now = ctx.clock.now()
    with ctx.fleet.lent(to_take=True) as fleet, ctx.write("operations") as session:
        row, heir, leaving = _check_all_left(session, operation)
        scheduler = fleet.scheduler(session, ctx.policy.current(), now)
        deed = Deed.by(ctx, session, SYSTEM.name, row.request_id)
        _lock(deed, fleet, row, [heir, *leaving])
        row, heir, victims = _check_all_left(session, operation)
        if [victim.id for victim in victims] != [victim.id for victim in leaving]:
            # One was deleted just now, and the fleet was read while it was there.
            raise _overtaken(row)
        _exchange(scheduler, request_of(heir.id, heir, fleet.names), victims, now.timestamp())
        _write(deed, row, heir, victims)


def _lock(deed: Deed, fleet: StandingFleet, row: OperationRow, there: Sequence[VmRow]) -> None:
    """Lock the host, the VMs and the operation, in the order in which everybody does.

    :raises ConflictError: when the host is no longer as it is in the fleet.
    """
    try:
        allocation.advance(deed, fleet, {str(row.host): 0})
    except allocation.OvertakenError as error:
        raise _overtaken(row) from error
    vms.lock_many(deed.session, {vm.id for vm in there})
    operations.lock(deed.session, row.id)


def _overtaken(row: OperationRow) -> ConflictError:
    return ConflictError(f"{row.host} changed while {row.id} was looked at", hint="look again")


def _exchange(scheduler: Scheduler, request: Request, victims: Sequence[VmRow], now: float) -> None:
    """Have a VM take its room in the fleet in the place of others.

    :raises _NoRoomError: when a host would be over a limit.
    """
    heir, host = str(request.vm), str(scheduler.fleet.where(str(request.vm)))
    _clear(scheduler.fleet, victims)
    scheduler.fleet.remove(heir)
    reasons = scheduler.reasons(request, host, now=now)
    lacking = [reason.message for reason in reasons if reason.rule in _LIMITS]
    if lacking:
        raise _NoRoomError(f"all have left {host}, and it does not fit yet: {'; '.join(lacking)}")
    scheduler.settle(heir, host, request)


def _clear(fleet: Fleet, victims: Sequence[VmRow]) -> None:
    """Leave of VMs nothing but their disks."""
    for victim in victims:
        request = fleet.request_of(victim.id)
        fleet.remove(victim.id)
        fleet.add(name_of_disks(victim.id), str(victim.host), left_behind(request))


def _write(deed: Deed, row: OperationRow, heir: VmRow, victims: Sequence[VmRow]) -> None:
    for victim in victims:
        allocations.resize(deed.session, victim.id, str(victim.host), cpu=0, ram_mib=0)
        preempt_vm(deed, victim, _record(deed, row, heir), f"made room for {heir.id} of priority {heir.priority}")
    allocations.resize(deed.session, heir.id, str(heir.host), cpu=heir.cpu, ram_mib=heir.ram_mib)
    who = ", ".join(victim.id for victim in victims)
    message = f"{who} made room on {heir.host}" if victims else f"there is room on {heir.host}"
    explain_operation(deed, row, Reason("preemption", message, {"preempted": [victim.id for victim in victims]}))
    move_operation(deed, row, "queued", message)
    heir.status_reason = ""


def _record(deed: Deed, row: OperationRow, heir: VmRow) -> dict[str, Any]:
    """For whom a VM made room."""
    return {
        "by": heir.id,
        "priority": heir.priority,
        "operation": row.id,
        "request_id": row.request_id,
        "at": deed.at.isoformat(),
    }


def give_up(ctx: Context, operation: str, reason: Reason) -> str:
    """Let a create fail that waits in vain. Who was to make room for it is let go by ``release``.

    :raises ConflictError: when it does not wait any more.
    """
    with ctx.write("operations", "observations") as session:
        row, heir = _waiting(session, operation)
        vms.lock(session, heir.id)
        operations.lock(session, operation)
        row, heir = _waiting(session, operation)
        deed = Deed.by(ctx, session, SYSTEM.name, row.request_id)
        row.error = NoCapacityError(f"No room could be made on {heir.host}: {reason.message}").to_mapping()
        explain_operation(deed, row, reason)
        move_operation(deed, row, "failed", reason.message)
        allocations.free(session, heir.id)
        house_vm(deed, heir, None, reason.message)
        settle(deed, heir, "error", reason.message)
        heir.settled_at = deed.at
        return operation


def release(ctx: Context, vm_id: str, reason: Reason) -> str | None:
    """Let a VM keep its room, since the create that it was to make room for waits no longer.

    :returns: the operation that starts it again; None when it is on, on its way somewhere, or wanted off.
    :raises ConflictError: when it makes room for nobody, or for one that still waits.
    """
    with ctx.write("operations") as session:
        vm = locked(session, vm_id)
        if vm.yields_to is None or _is_waited_for(session, vm):
            raise ConflictError(f"{vm_id} is not to be let go", hint="look again")
        deed = Deed.of(ctx, session, SYSTEM)
        ask_to_yield(deed, vm, None, reason.message)
        under_way = operations.open_of_vm(session, vm.id)
        for row in under_way:
            # One that was begun goes on to its end: half a stop leaves nobody knows what. The reconciler does the rest.
            if row.kind == "vm.stop" and row.state == "queued":
                withdraw(deed, row, vm, reason.message)
        if under_way or vm.status != "stopped" or vm.desired != "running":
            return None
        start = Change(ctx, SYSTEM, "start", {}, reason=reason, correction=True)
        answer = change.carry_out(start, deed, vm)
        return None if answer.operation is None else answer.operation.id


def _waiting(session: Session, operation: str) -> tuple[OperationRow, VmRow]:
    row = operations.find(session, operation)
    heir = None if row is None or row.vm is None else vms.find(session, row.vm)
    if row is None or heir is None or row.state != "waiting":
        raise ConflictError(f"{operation} does not wait for room any more", hint="look at the operation")
    return row, heir


def _check_all_left(session: Session, operation: str) -> tuple[OperationRow, VmRow, Sequence[VmRow]]:
    row, heir = _waiting(session, operation)
    victims = vms.yielding(session, heir.id)
    for victim in victims:
        if victim.status != "stopped" or operations.open_of_vm(session, victim.id):
            raise ConflictError(f"{victim.id} has not made room for {heir.id} yet: it is {victim.status}")
    return row, heir, victims


def _is_waited_for(session: Session, vm: VmRow) -> bool:
    heir = vms.find(session, vm.yields_to or "")
    row = None if heir is None or heir.operation is None else operations.find(session, heir.operation)
    return row is not None and row.state == "waiting" and heir is not None and heir.host == vm.host
