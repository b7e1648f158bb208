"""VMs that had to make room, and for which there is some again. Pure."""

from __future__ import annotations

from minicloud_core.model.reason import Reason

from minicloud.services.view.fleet import FleetState, FleetVm, Readmit


def candidates(state: FleetState) -> tuple[FleetVm, ...]:
    """VMs that had to make room and would start if there were some: the most important first, then the oldest.

    One that somebody wants off waits for nothing. One whose last try came to nothing waits for its back-off.
    """
    waiting = [vm for vm in state.vms if vm.preempted_at is not None and _would_start(vm, state)]
    return tuple(sorted(waiting, key=lambda vm: (-vm.priority, vm.number)))


def plan_readmissions(state: FleetState, *, limit: int) -> tuple[Readmit, ...]:
    """Starts of those for which there is room, in the order in which they come into question.

    :param limit: the most to plan.
    """
    planned = [Readmit(vm.id, _why(vm)) for vm in candidates(state) if vm.id in state.fitting]
    return tuple(planned[:limit])


def _would_start(vm: FleetVm, state: FleetState) -> bool:
    if vm.wanted not in ("running", "paused") or vm.operation is not None or vm.status != "stopped":
        return False
    return vm.host_state == "ready" and (vm.not_before is None or vm.not_before <= state.at)


def _why(vm: FleetVm) -> Reason:
    message = f"there is room on {vm.host} again for a VM of priority {vm.priority}"
    return Reason("preemption.room", message, {"priority": vm.priority})
