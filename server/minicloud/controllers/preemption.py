"""Creates that wait for others to make room: which may go on, which wait in vain, and whom nobody waits for any more.
Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from minicloud_core.model.reason import Reason

from minicloud.services.view.fleet import FleetState, FleetVm, FleetWait, GiveUp, Release, TakePlace

# What a VM is whose host does not answer.
_UNSEEN: Final = frozenset({"unknown", "lost"})


def plan_turnover(state: FleetState, *, limit: int) -> tuple[TakePlace | GiveUp | Release, ...]:
    """The next step of each create that waits for room, and of each VM that was to make room for one that is over.

    A create goes on once all are off and no operation is open for any. It is given up as soon as one is left as
    something else with nobody at work on it: its stop failed, or was undone. What a host that does not answer has is
    not known yet.

    :param limit: the most to plan.
    """
    leaving: dict[str, list[FleetVm]] = defaultdict(list)
    for vm in sorted(state.vms, key=lambda one: one.number):
        if vm.yields_to is not None:
            leaving[vm.yields_to].append(vm)
    steps = [_step(wait, leaving.get(wait.vm, ())) for wait in state.waits]
    planned = [*(step for step in steps if step is not None), *_releases(leaving, {wait.vm for wait in state.waits})]
    return tuple(planned[:limit])


def _step(wait: FleetWait, leaving: Sequence[FleetVm]) -> TakePlace | GiveUp | None:
    left = [vm for vm in leaving if vm.operation is None and vm.status != "stopped"]
    stuck = next((vm for vm in left if vm.host_state == "ready" or vm.status not in _UNSEEN), None)
    if stuck is not None:
        message = f"{stuck.id} was to make room on {wait.host}, and is {stuck.status}"
        return GiveUp(wait.operation, Reason("preemption.stuck", message, {"vm": stuck.id, "status": stuck.status}))
    if left or any(vm.operation is not None for vm in leaving):
        return None
    return TakePlace(wait.operation, Reason("preemption", f"all who were to make room on {wait.host} are off"))


def _releases(leaving: Mapping[str, Sequence[FleetVm]], awaited: set[str]) -> list[Release]:
    return [
        Release(vm.id, Reason("preemption.over", f"{heir} does not wait for its room any more", {"for": heir}))
        for heir, vms in leaving.items()
        if heir not in awaited
        for vm in vms
    ]
