"""Who may go on, who waits in vain, and who is let go."""

from __future__ import annotations

import pytest
from minicloud.controllers.drift import plan_corrections
from minicloud.controllers.preemption import plan_turnover
from minicloud.services.view.fleet import FleetState, FleetVm, FleetWait, GiveUp, Release, TakePlace

from tests.server.controllers.known_fleet import NOW, vm
from tests.server.controllers.test_drift import FRESH

WAIT = FleetWait("op-9", "vm-109", "node1")


def leaving(number: int, **changes: object) -> FleetVm:
    return vm(id=f"vm-{number}", number=number, yields_to="vm-109", **{"status": "stopped", **changes})


def planned(*vms: FleetVm, waits: tuple[FleetWait, ...] = (WAIT,), limit: int = 50) -> list[tuple[type, str]]:
    steps = plan_turnover(FleetState(NOW, vms=vms, waits=waits), limit=limit)
    return [(type(one), one.vm if isinstance(one, Release) else one.operation) for one in steps]


def test_a_create_goes_on_once_all_are_off() -> None:
    assert planned(leaving(1), leaving(2)) == [(TakePlace, "op-9")]
    assert planned() == [(TakePlace, "op-9")]


def test_it_waits_while_anything_is_under_way() -> None:
    assert planned(leaving(1), leaving(2, status="stopping", operation="vm.stop")) == []
    assert planned(leaving(1), leaving(2, status="deleting", operation="vm.delete")) == []


@pytest.mark.parametrize("status", ["error", "running", "paused", "unknown"])
def test_it_waits_in_vain_for_one_that_nobody_stops(status: str) -> None:
    under_way = leaving(2, status="stopping", operation="vm.stop")
    assert planned(leaving(1, status=status), under_way) == [(GiveUp, "op-9")]


@pytest.mark.parametrize("status", ["unknown", "lost"])
def test_what_a_silent_host_has_is_not_known_yet(status: str) -> None:
    assert planned(leaving(1, status=status, host_state="suspect"), leaving(2)) == []
    assert planned(leaving(1, status="error", host_state="suspect")) == [(GiveUp, "op-9")]


def test_whoever_nobody_waits_for_is_let_go() -> None:
    others = leaving(2, status="stopping", operation="vm.stop")
    assert planned(leaving(1), others, waits=()) == [(Release, "vm-1"), (Release, "vm-2")]
    assert planned(leaving(1), others, waits=(), limit=1) == [(Release, "vm-1")]


def test_drift_is_none_while_a_vm_makes_room() -> None:
    state = FleetState(NOW, vms=(leaving(1, observed_state="stopped"),))
    assert plan_corrections(state, fresh=FRESH, limit=50) == ()
