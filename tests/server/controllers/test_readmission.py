"""Who had to make room, and starts again."""

from __future__ import annotations

import pytest
from minicloud.controllers.readmission import plan_readmissions
from minicloud.services.view.fleet import FleetState, FleetVm

from tests.server.controllers.known_fleet import NOW, ago, vm


def off(number: int, **changes: object) -> FleetVm:
    content = {"status": "stopped", "desired": "stopped", "preempted_at": ago(60), **changes}
    return vm(id=f"vm-{number}", number=number, **content)


def planned(*vms: FleetVm, fitting: set[str] | None = None, limit: int = 50) -> list[str]:
    fits = {one.id for one in vms} if fitting is None else fitting
    return [one.vm for one in plan_readmissions(FleetState(NOW, vms=vms, fitting=frozenset(fits)), limit=limit)]


def test_the_most_important_comes_first_then_the_oldest() -> None:
    vms = (off(3, priority=5), off(1), off(2, priority=5), off(4, priority=-1))
    assert planned(*vms) == ["vm-2", "vm-3", "vm-1", "vm-4"]
    assert planned(*vms, limit=2) == ["vm-2", "vm-3"]


def test_a_small_one_does_not_wait_for_a_large_one() -> None:
    assert planned(off(1, priority=5), off(2), fitting={"vm-2"}) == ["vm-2"]


@pytest.mark.parametrize(
    "changes",
    [
        {"wanted": "stopped"},
        {"wanted": "absent"},
        {"operation": "vm.delete"},
        {"status": "error"},
        {"host_state": "suspect"},
        {"not_before": ago(-5)},
        {"preempted_at": None},
    ],
)
def test_others_are_left_alone(changes: dict[str, object]) -> None:
    assert planned(off(1, **changes)) == []


def test_one_that_is_wanted_paused_starts_as_well() -> None:
    assert planned(off(1, wanted="paused")) == ["vm-1"]
