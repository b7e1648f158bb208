"""A dead host's VMs, by example."""

from __future__ import annotations

from dataclasses import replace

from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.planner.evacuation import evacuate
from minicloud_core.scheduler.spread import Spread

from tests.unit.scheduler.planner.referee import NOW, play
from tests.unit.scheduler.planner.test_drain import POLICY, fleet_of, host, rules, told, vm


def test_who_matters_more_chooses_first() -> None:
    fleet = fleet_of(
        host("a"),
        host("b", 8),
        off=("a", replace(vm(2), priority=9)),
        low=("a", vm(6)),
        high=("a", replace(vm(4), priority=5)),
        mid=("a", replace(vm(4), priority=1)),
    )
    fleet.not_running.add("off")
    plan = evacuate(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("high", "a", "b"), ("mid", "a", "b")]
    assert rules(plan) == {"low": ["memory"], "off": ["memory"]}
    assert plan.before["vms"] == 4
    assert plan.after == {"vms": 2, "cpu": 2 / 16, "ram": 1.0}
    play(fleet, plan, POLICY, dead="a")


def test_what_was_pinned_starts_elsewhere_and_what_names_the_host_does_not() -> None:
    fleet = fleet_of(
        replace(host("a"), state="down"),
        host("b"),
        pinned=("a", replace(vm(), pinned=True)),
        named=("a", replace(vm(), host="a")),
    )
    plan = evacuate(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("pinned", "a", "b")]
    assert rules(plan) == {"named": ["requested"]}
    assert [stay.reason.message for stay in plan.stays if stay.reason] == ["lost with a: no other host will do"]
    # One that was moved off the host that it asked for may go back there.
    away = fleet_of(host("a"), host("b"), host("c"), v=("a", replace(vm(), host="c")))
    assert told(evacuate(away, "a", POLICY, now=NOW)) == [("v", "a", "c")]


def test_room_that_was_kept_for_a_failure_is_there_once_there_is_one() -> None:
    careful = replace(POLICY, filters=(*POLICY.filters, "n_plus_one"))
    fleet = fleet_of(host("a"), host("b"), v1=("a", vm(8)), v2=("b", vm(8)))
    plan = evacuate(fleet, "a", careful, now=NOW)
    assert told(plan) == [("v1", "a", "b")]
    play(fleet, plan, careful, dead="a")


def test_those_who_died_keep_nobody_away() -> None:
    """Two of a group may share a rack. Both died in rack r1, and there is room in r1 alone."""
    asked = replace(vm(), group="g", spread=(Spread("rack", 2),))
    hosts = [HostView(name, 16, 16384, labels={"rack": "r1"}) for name in "ab"]
    fleet = fleet_of(*hosts, v1=("a", asked), v2=("a", asked))
    plan = evacuate(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("v1", "a", "b"), ("v2", "a", "b")]


def test_those_who_follow_another_do_though_they_matter_more() -> None:
    leader, follower = vm(1), replace(vm(1), affinity=("vm:leader",), priority=7)
    fleet = fleet_of(host("a"), host("b"), host("c", 15), leader=("a", leader), follower=("a", follower))
    plan = evacuate(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("leader", "a", "b"), ("follower", "a", "b")]
    lost = fleet_of(host("a"), replace(host("b"), cordoned=True), leader=("a", leader), follower=("a", follower))
    assert rules(evacuate(lost, "a", POLICY, now=NOW)) == {"leader": ["cordon"], "follower": ["affinity"]}


def test_a_vm_elsewhere_makes_room() -> None:
    fleet = fleet_of(
        host("a"), host("b"), host("c"), big=("a", vm(12)), b1=("b", vm(4)), b2=("b", vm(4)), c1=("c", vm(8))
    )
    plan = evacuate(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("b1", "b", "c"), ("big", "a", "b")]
