"""Letting hosts sleep, by example."""

from __future__ import annotations

from dataclasses import replace

import pytest
from minicloud_core.scheduler.host import HostView, Power
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.planner.consolidation import consolidate
from minicloud_core.scheduler.planner.floor import Floor
from minicloud_core.scheduler.policy import PACK

from tests.unit.scheduler.planner.referee import NOW, play
from tests.unit.scheduler.planner.test_drain import fleet_of, host, told, vm

POLICY = replace(PACK, limits=Limits(1.0, 0))


def powered(name: str, idle: float, most: float, gib: int = 16) -> HostView:
    return replace(host(name, gib), power=Power(idle, most))


def test_the_host_that_draws_most_when_idle_is_emptied_first() -> None:
    fleet = fleet_of(
        powered("a", 50, 100),
        powered("b", 200, 300),
        powered("c", 60, 110),
        v1=("a", vm(4)),
        v2=("b", vm(4)),
        v3=("c", vm(4)),
    )
    plan = consolidate(fleet, POLICY, now=NOW)
    assert told(plan)[0][:2] == ("v2", "b")
    assert plan.after["asleep"] == ["b", "c"]
    assert plan.before == {"watts": pytest.approx(310 + (50 + 100 + 50) / 16, abs=0.1), "on": 3, "asleep": []}
    assert plan.after["watts"] == pytest.approx(50 + 3 * 50 / 16, abs=0.1)
    assert {play(fleet, plan, POLICY).where(one) for one in ("v1", "v2", "v3")} == {"a"}
    # To move once is enough, also for those that were on a host which was emptied later.
    assert len(plan.moves) == 2


def test_as_much_stays_on_as_it_has_to() -> None:
    hosts = [powered(name, 100, 200) for name in "abcd"]
    vms = {f"v{name}": (name, vm(4)) for name in "abcd"}
    # All four fit on one host, exactly.
    assert len(consolidate(fleet_of(*hosts, **vms), POLICY, now=NOW, floor=Floor(0, 0.0)).after["asleep"]) == 3
    assert len(consolidate(fleet_of(*hosts, **vms), POLICY, now=NOW, floor=Floor(0, 0.1)).after["asleep"]) == 2
    assert len(consolidate(fleet_of(*hosts, **vms), POLICY, now=NOW, floor=Floor(0, 0.6)).after["asleep"]) == 1
    assert len(consolidate(fleet_of(*hosts, **vms), POLICY, now=NOW, floor=Floor(3, 0.0)).after["asleep"]) == 1
    assert consolidate(fleet_of(*hosts, **vms), POLICY, now=NOW, floor=Floor(0, 0.0, 150)).moves == ()


def test_empty_hosts_sleep_as_far_as_the_rest_is_enough() -> None:
    fleet = fleet_of(powered("a", 100, 200), powered("b", 90, 200), powered("c", 80, 200), v=("a", vm(8)))
    assert consolidate(fleet, POLICY, now=NOW).before["asleep"] == ["b", "c"]
    # "a" is to be emptied rather than "b" and "c" to sleep only where that saves more; nobody is moved to one asleep.
    assert consolidate(fleet, POLICY, now=NOW).moves == ()
    assert consolidate(fleet, POLICY, now=NOW, floor=Floor(headroom=0.7)).before["asleep"] == ["b"]


def test_a_host_with_one_that_may_not_move_stays_on() -> None:
    pinned = replace(vm(1), pinned=True)
    fleet = fleet_of(powered("a", 100, 200), powered("b", 300, 400), v1=("a", vm(1)), v2=("b", pinned), v3=("b", vm(1)))
    plan = consolidate(fleet, POLICY, now=NOW)
    assert told(plan) == [("v1", "a", "b")]
    assert plan.after["asleep"] == ["a"]
    fleet.not_running.add("v1")
    assert told(consolidate(fleet, POLICY, now=NOW)) == []


def test_those_that_stay_on_have_room_for_the_failure_of_any() -> None:
    careful = replace(POLICY, filters=(*POLICY.filters, "n_plus_one"))
    hosts = (powered(name, 100, 200) for name in "abcd")
    fleet = fleet_of(*hosts, v1=("a", vm(8)), v2=("b", vm(2)))
    # One is enough to hold them, and two are enough should one of those fail.
    assert consolidate(fleet, POLICY, now=NOW).after["on"] == 1
    plan = consolidate(fleet, careful, now=NOW)
    assert plan.after["on"] == 2
    assert plan.before["on"] == 2
    # A fleet in which none may fail lets none sleep.
    fleet.add("v3", "a", vm(8))
    fleet.add("v4", "b", vm(14))
    fleet.add("v5", "c", vm(16))
    assert consolidate(fleet, careful, now=NOW, floor=Floor(0, 0)).after["on"] == 4


def test_what_is_not_on_a_host_of_ours_is_left_alone() -> None:
    fleet = fleet_of(
        replace(powered("a", 100, 200), cordoned=True), powered("b", 10, 20), v1=("a", vm(1)), v2=("b", vm(1))
    )
    assert told(consolidate(fleet, POLICY, now=NOW)) == []


def test_a_host_whose_watts_are_unknown_draws_what_is_usual() -> None:
    fleet = fleet_of(host("a"), host("b"), v1=("a", vm(1)), v2=("b", vm(2)))
    plan = consolidate(fleet, POLICY, now=NOW)
    assert told(plan) == [("v1", "a", "b")]
    assert plan.before["watts"] > plan.after["watts"] > 0


@pytest.mark.parametrize("wrong", [{"hosts": -1}, {"headroom": 1.0}, {"watts": float("nan")}])
def test_a_floor_has_to_make_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .* is right"):
        Floor(**wrong)
