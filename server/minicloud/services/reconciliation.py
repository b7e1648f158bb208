"""Reconciliation: reading everything at once, and queueing what the reconciler plans, by the same door as a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from minicloud_core.model.errors import BusyError, ConflictError, MinicloudError, NotFoundError
from minicloud_core.model.host import REACHABLE
from minicloud_core.model.vm import VERBS, VM_TRANSITIONS, VmSpec

from minicloud.store import allocation as allocations
from minicloud.store import domain as domains
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.host import HostRow
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import change, fleet, host, placement, preemption, readmission
from .command import create_command, purge_command
from .context import SYSTEM, Context
from .queue import Draft, enqueue
from .retry import back_off
from .state import Deed, move_vm
from .verb import Change, check_free, locked
from .view.fleet import (
    Applied,
    CorrectVm,
    FenceHost,
    FleetState,
    FleetVm,
    GiveUp,
    Intent,
    Plan,
    PurgeDomain,
    Readmit,
    Release,
    ReplaceCreate,
    TakePlace,
)

__all__ = ["FleetState", "Plan", "apply", "load"]

# After a correction, the next one waits: a VM that falls over again and again is not restarted without pause.
AGAIN_FIRST_SECONDS: Final = 2.0
AGAIN_LONGEST_SECONDS: Final = 300.0
PURGE_AGAIN: Final = timedelta(seconds=60)


def load(ctx: Context) -> FleetState:
    """Everything that the reconciler decides by, at one moment."""
    with ctx.read() as session:
        state = fleet.read(session, ctx.clock.now())
    return replace(state, fitting=readmission.fitting(ctx, [vm.id for vm in state.vms if _wants_room(vm)]))


def _wants_room(vm: FleetVm) -> bool:
    return vm.preempted_at is not None and vm.wanted in ("running", "paused") and vm.operation is None


def apply(ctx: Context, plan: Plan) -> tuple[Applied, ...]:
    """Queue what was planned. Each intent is checked again in its own transaction; one that no longer holds is refused,
    with the reason, and keeps none of the others from being done."""
    return tuple(_apply(ctx, intent) for intent in plan.intents)


def _apply(ctx: Context, intent: Intent) -> Applied:
    try:
        operation = _act(ctx, intent)
    except MinicloudError as error:
        return Applied(intent, None, error.message, error.to_mapping())
    if operation is None and not isinstance(intent, Release):
        return Applied(intent, None, "it no longer applies")
    return Applied(intent, operation, request_id=_request_of(ctx, operation))


def _request_of(ctx: Context, operation: str | None) -> str:
    if operation is None:
        return ""
    with ctx.read() as session:
        row = operations.find(session, operation)
        return "" if row is None else row.request_id


def _act(ctx: Context, intent: Intent) -> str | None:
    if isinstance(intent, CorrectVm):
        return _correct(ctx, intent)
    if isinstance(intent, PurgeDomain):
        return _purge(ctx, intent)
    if isinstance(intent, ReplaceCreate):
        moved = placement.replace(ctx, intent.operation, intent.reason)
        return None if moved is None else moved.id
    if isinstance(intent, FenceHost):
        return _fence(ctx, intent)
    return _make_room(ctx, intent)


def _make_room(ctx: Context, intent: TakePlace | GiveUp | Release | Readmit) -> str | None:
    if isinstance(intent, TakePlace):
        return preemption.take_place(ctx, intent.operation)
    if isinstance(intent, GiveUp):
        return preemption.give_up(ctx, intent.operation, intent.reason)
    if isinstance(intent, Release):
        return preemption.release(ctx, intent.vm, intent.reason)
    start = Change(ctx, SYSTEM, "start", {}, reason=intent.reason, correction=True)
    operation = readmission.start(start, intent.vm, change.carry_out).operation
    return None if operation is None else operation.id


def _fence(ctx: Context, intent: FenceHost) -> str | None:
    with ctx.read() as session:
        row = hosts.find(session, intent.host)
        if row is None or row.state not in ("suspect", "fencing") or row.silent_since is None:
            return None
        if row.fence_not_before is not None and row.fence_not_before > ctx.clock.now():
            return None
    fenced = host.fence(ctx, SYSTEM, intent.host, reason=intent.reason)
    return fenced.operation if fenced.changed else None


def _correct(ctx: Context, intent: CorrectVm) -> str | None:
    with ctx.write("operations") as session:
        deed = Deed.of(ctx, session, SYSTEM)
        vm = locked(session, intent.vm)
        check_free(vm, operations.open_of_vm(session, vm.id))
        _check_due(deed, vm)
        _check_wanted(session, vm, intent.verb)
        _count_attempt(deed, vm)
        if intent.verb == "define":
            return _define(deed, vm, intent).id
        answer = change.carry_out(Change(ctx, SYSTEM, intent.verb, {}, reason=intent.reason, correction=True), deed, vm)
        return None if answer.operation is None else answer.operation.id


def _check_due(deed: Deed, vm: VmRow) -> None:
    if vm.correction_not_before is not None and vm.correction_not_before > deed.at:
        raise ConflictError(f"{vm.id} was corrected {vm.correction_attempts} times; the next is not due yet")


def _check_wanted(session: Session, vm: VmRow, verb: str) -> None:
    """Refuse what is no longer a step towards what is desired, and what nobody could carry out."""
    aims = {"define": ("running", "stopped", "paused"), "start": ("running", "paused")}
    aim = VERBS[verb][1] if verb in VERBS else None
    if vm.aim not in aims.get(verb, (aim,)):
        raise ConflictError(f"{vm.id} is desired {vm.aim} now; {verb} does not lead there")
    if verb != "delete" and (vm.observed_at is None or (vm.settled_at is not None and vm.observed_at < vm.settled_at)):
        raise ConflictError(f"{vm.id} was not seen since its last operation ended")
    home = hosts.find(session, vm.host or "")
    if vm.host is not None and (home is None or home.state not in REACHABLE):
        raise ConflictError(f"{vm.id} cannot be corrected: {vm.host} is {home.state if home else 'gone'}")


def _count_attempt(deed: Deed, vm: VmRow) -> None:
    vm.correction_attempts += 1
    vm.correction_not_before = deed.at + back_off(
        vm.correction_attempts,
        deed.ctx.entropy.fraction(),
        first=AGAIN_FIRST_SECONDS,
        longest=AGAIN_LONGEST_SECONDS,
    )


def _define(deed: Deed, vm: VmRow, intent: CorrectVm) -> OperationRow:
    """Make the domain again where it was. Its disks are still there."""
    if vm.host is None:
        raise ConflictError(f"{vm.id} is on no host: {vm.status_reason}")
    VM_TRANSITIONS.check(vm.status, "provisioning")
    previous = {"status": vm.status, "desired": vm.desired}
    move_vm(deed, vm, "provisioning", intent.reason.message)
    command = create_command(VmSpec.from_stored(vm.spec), vm.project, vm.host)
    draft = Draft("vm.create", vm.host, command, vm=vm, previous=previous, reason=intent.reason)
    return enqueue(deed, draft)


def _purge(ctx: Context, intent: PurgeDomain) -> str | None:
    with ctx.write("operations") as session:
        deed = Deed.of(ctx, session, SYSTEM)
        place = hosts.lock(session, intent.host)
        vm = vms.lock(session, intent.vm)
        if place is None or vm is None or vm.uuid != intent.uuid:
            raise NotFoundError(f"There is no {intent.vm} with a copy on {intent.host}")
        _check_stale(session, vm, intent.host)
        if operations.open_of_kind(session, "domain.purge", host=intent.host, vm=vm.id):
            raise BusyError(f"{vm.id}'s copy on {intent.host} is being removed already")
        if operations.failed_since(session, "domain.purge", intent.host, vm.id, deed.at - PURGE_AGAIN):
            raise ConflictError(
                f"removing {vm.id}'s copy from {intent.host} failed lately; the next try is not due yet"
            )
        return enqueue(deed, _purge_draft(place, vm, intent)).id


def _purge_draft(place: HostRow, vm: VmRow, intent: PurgeDomain) -> Draft:
    order: Mapping[str, Any] = {
        "id": vm.id,
        "uuid": vm.uuid,
        "name": vm.name,
        "project": vm.project,
        "state": "absent",
        "epoch": vm.epoch,
    }
    command = purge_command(place.name, order)
    return Draft("domain.purge", place.name, command, vm=vm, exclusive=False, reason=intent.reason)


def _check_stale(session: Session, vm: VmRow, place: str) -> None:
    copy = domains.find(session, place, vm.uuid)
    if copy is None or not copy.managed:
        raise NotFoundError(f"{place} has no copy of {vm.id} that is ours")
    if vm.deleted_at is None and (vm.host == place or allocations.exists(session, vm.id, place)):
        raise ConflictError(f"{vm.id} belongs on {place}")
    if copy.epoch is None or copy.epoch >= vm.epoch:
        raise ConflictError(f"{place}'s copy of {vm.id} is of epoch {copy.epoch}, not older than {vm.epoch}")
