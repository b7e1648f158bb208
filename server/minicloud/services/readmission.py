"""Readmission: a VM that had to make room takes its room again, on the host where its disks are, and starts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from minicloud_core.model.errors import BusyError
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.preemption import name_of_disks
from minicloud_core.scheduler.request import Request

from minicloud.store import allocation as allocations
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import allocation
from .context import Context
from .snapshot import request_of
from .state import Deed, preempt_vm
from .verb import Change, check_free, check_possible, locked, present
from .view.operation import show_operation
from .view.vm import VmChange, show_vm
from .vm_names import VmNames

# What starts a VM that has its room.
Starter = Callable[[Change, Deed, VmRow], VmChange]
# How often a start is decided anew when somebody else took room of the host meanwhile.
_TRIES: Final = 3


def start(wish: Change, vm_id: str, starter: Starter) -> VmChange:
    """Start a VM that had to make room.

    :raises NoCapacityError: when its host has no room for it now, with the reasons.
    :raises BusyError: when an operation has it, or others keep taking room of its host.
    """
    with wish.ctx.read() as session:
        recalled = wish.recalled(session, lock=False)
    if recalled is not None:
        return recalled
    _find_room(wish.ctx, vm_id)
    for _again in range(_TRIES):
        try:
            return _start(wish, vm_id, starter)
        except allocation.OvertakenError:
            continue
    raise BusyError(f"Others keep taking room where {vm_id} is", hint="try again")


def rehearse(wish: Change, vm_id: str) -> VmChange:
    """What :func:`start` would come to."""
    decision = _find_room(wish.ctx, vm_id)
    with wish.ctx.read() as session:
        vm = _find(session, vm_id)
        check_free(vm, operations.open_of_vm(session, vm.id))
        view = replace(show_vm(vm), status=check_possible(vm, wish.verb), desired=wish.desired(vm), preempted=None)
    return VmChange(view, None, changed=True, placement=decision.to_mapping())


def fitting(ctx: Context, vm_ids: Collection[str]) -> frozenset[str]:
    """Those of some VMs that had to make room for which there is room again, each looked at by itself."""
    if not vm_ids:
        return frozenset()
    now = ctx.clock.now()
    with ctx.fleet.lent() as fleet, ctx.read() as session:
        scheduler = fleet.scheduler(session, ctx.policy.current(), now)
        found = vms.several(session, vm_ids).values()
        asked = {vm.id: _request(vm, fleet.names) for vm in found if vm.preempted is not None}
        return frozenset(vm for vm in asked if scheduler.choose(asked[vm], now=now.timestamp()) is not None)


def _find_room(ctx: Context, vm_id: str) -> Decision:
    """:raises NoCapacityError: when there is none."""
    now = ctx.clock.now()
    with ctx.fleet.lent() as fleet, ctx.read() as session:
        scheduler = fleet.scheduler(session, ctx.policy.current(), now)
        request = _request(_find(session, vm_id), fleet.names)
        return _decide(scheduler, request, now.timestamp())


def _start(wish: Change, vm_id: str, starter: Starter) -> VmChange:
    ctx, now = wish.ctx, wish.ctx.clock.now()
    with ctx.fleet.lent(to_take=True) as fleet, ctx.write("operations") as session:
        recalled = wish.recalled(session)
        if recalled is not None:
            return recalled
        scheduler = fleet.scheduler(session, ctx.policy.current(), now)
        decision = _decide(scheduler, _request(_find(session, vm_id), fleet.names), now.timestamp())
        deed = Deed.of(ctx, session, wish.actor)
        allocation.advance(deed, fleet, {str(decision.host): 0})
        vm = locked(session, vm_id)
        check_free(vm, operations.open_of_vm(session, vm.id))
        if vm.preempted is None or vm.host != decision.host:
            raise allocation.OvertakenError
        _take(deed, scheduler, vm, fleet.names)
        return _placed(starter(wish, deed, vm), deed, vm, decision)


def _find(session: Session, vm_id: str) -> VmRow:
    """The VM, not locked: its host is locked before it.

    :raises NotFoundError: when it was deleted meanwhile.
    """
    return present(vms.find(session, vm_id), vm_id)


def _decide(scheduler: Scheduler, request: Request, now: float) -> Decision:
    decision = scheduler.place(request, now=now)
    if decision.host is None:
        raise decision.no_capacity()
    return decision.put_down()


def _request(vm: VmRow, names: VmNames) -> Request:
    """What it asks of its host beside what its disks take there."""
    return replace(request_of(vm.id, vm, names), host=vm.host, disk_bytes=0, pools={})


def _take(deed: Deed, scheduler: Scheduler, vm: VmRow, names: VmNames) -> None:
    scheduler.fleet.remove(name_of_disks(vm.id))
    scheduler.settle(vm.id, str(vm.host), request_of(vm.id, vm, names))
    nodes = scheduler.fleet.nodes_of(vm.id)
    allocations.resize(deed.session, vm.id, str(vm.host), cpu=vm.cpu, ram_mib=vm.ram_mib, nodes=nodes)
    preempt_vm(deed, vm, None, f"has room on {vm.host} again")


def _placed(answer: VmChange, deed: Deed, vm: VmRow, decision: Decision) -> VmChange:
    """The answer with why there is room, which is kept as any placement is."""
    row = None if answer.operation is None else operations.find(deed.session, answer.operation.id)
    if row is None:
        return answer
    allocation.keep(deed, vm, row, decision)
    return replace(answer, operation=show_operation(row), placement=decision.to_mapping())
