"""Emptying a host, by example."""

from __future__ import annotations

from dataclasses import replace

import pytest
from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.planner.drain import drain
from minicloud_core.scheduler.planner.plan import Plan
from minicloud_core.scheduler.policy import SPREAD
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler.planner.drawn import GIB, node_host
from tests.unit.scheduler.planner.referee import NOW, play

POLICY = replace(SPREAD, limits=Limits(1.0, 0))


def fleet_of(*hosts: HostView, **vms: tuple[str, Request]) -> Fleet:
    fleet = Fleet(hosts)
    for vm, (host, request) in vms.items():
        fleet.add(vm, host, replace(request, vm=vm))
    return fleet


def host(name: str, gib: int = 16, cpu: int = 16) -> HostView:
    return HostView(name, cpu, gib * GIB, labels={"rack": f"r-{name}"})


def vm(gib: int = 4, cpu: int = 1) -> Request:
    return Request(cpu, gib * GIB)


def told(plan: Plan) -> list[tuple[str, str, str]]:
    return [(move.vm, move.source, move.target) for move in plan.moves]


def rules(plan: Plan) -> dict[str, list[str]]:
    """For each VM that stays the rules that keep it, host by host."""
    return {
        stay.vm: [stay.reason.rule] if stay.reason else [reason.rule for one in stay.refused for reason in one.reasons]
        for stay in plan.stays
    }


def test_the_largest_go_first_and_nothing_comes_to_the_host_meanwhile() -> None:
    fleet = fleet_of(host("a"), host("b", 8), host("c", 12), v1=("a", vm(2)), v2=("a", vm(8)), v3=("a", vm(4)))
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert [move.vm for move in plan.moves] == ["v2", "v3", "v1"]
    assert {move.target for move in plan.moves} == {"b", "c"}
    assert plan.stays == ()
    assert plan.before == {"vms": 3, "cpu": 0.0, "ram": 0.0}
    assert plan.after == {"vms": 0, "cpu": pytest.approx(3 / 32), "ram": 0.7}


def test_a_vm_that_fits_nowhere_says_why_for_each_host() -> None:
    fleet = fleet_of(host("a"), host("b", 2), replace(host("c"), cordoned=True), v1=("a", vm(4)), v2=("a", vm(1)))
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("v2", "a", "b")]
    assert rules(plan) == {"v1": ["memory", "cordon"]}
    assert plan.stays[0].to_mapping() == {
        "vm": "v1",
        "host": "a",
        "reasons": [one.to_mapping() for one in plan.stays[0].refused],
    }
    assert plan.after["vms"] == 1


def test_what_is_held_stays_and_what_is_off_goes() -> None:
    fleet = fleet_of(
        host("a"),
        host("b"),
        named=("a", replace(vm(), host="a")),
        pinned=("a", replace(vm(), pinned=True)),
        off=("a", vm()),
    )
    fleet.not_running.add("off")
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("off", "a", "b")]
    assert rules(plan) == {"named": ["requested"], "pinned": ["pinned"]}


def test_another_vm_makes_room_where_that_helps() -> None:
    """Each of b and c has 8 GiB left, and 12 are needed: one of 4 GiB goes from b to c."""
    fleet = fleet_of(
        host("a"), host("b"), host("c"), big=("a", vm(12)), b1=("b", vm(4)), b2=("b", vm(4)), c1=("c", vm(8))
    )
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("b1", "b", "c"), ("big", "a", "b")]
    play(fleet, plan, POLICY, closed=["a"])
    fixed = fleet_of(
        host("a"), host("b"), host("c"), big=("a", vm(12)), b1=("b", replace(vm(8), pinned=True)), c1=("c", vm(8))
    )
    assert told(drain(fixed, "a", POLICY, now=NOW)) == [("c1", "c", "b"), ("big", "a", "c")]


@pytest.mark.parametrize("terms", [("vm:v2", "vm:v1"), ("group:g", "group:g"), ("group:g", ""), ("", "vm:v1")])
def test_vms_that_have_to_be_together_go_together(terms: tuple[str, str]) -> None:
    """To the one host with room for both, though the policy would like another better for either."""
    asked = [replace(vm(6), group="g", affinity=(term,) if term else ()) for term in terms]
    fleet = fleet_of(host("a"), host("b", 10, 32), host("c", 14), v1=("a", asked[0]), v2=("a", asked[1]))
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert {(move.vm, move.target) for move in plan.moves} == {("v1", "c"), ("v2", "c")}
    assert plan.stays == ()


def test_where_one_of_them_stays_all_do() -> None:
    asked = replace(vm(6), group="g", affinity=("group:g",))
    small = fleet_of(host("a"), host("b", 8), v1=("a", asked), v2=("a", asked))
    plan = drain(small, "a", POLICY, now=NOW)
    assert told(plan) == []
    # Both fit alone, but v2 not beside v1.
    assert rules(plan) == {"v1": ["affinity"], "v2": ["memory"]}
    pinned = fleet_of(host("a"), host("b"), v1=("a", replace(asked, pinned=True)), v2=("a", asked))
    plan = drain(pinned, "a", POLICY, now=NOW)
    assert rules(plan) == {"v1": ["pinned"], "v2": ["affinity"]}
    assert str(plan.stays[1].reason.message if plan.stays[1].reason else "") == "tied to v1, which stays"


def racked(**racks: str) -> list[HostView]:
    """Hosts by name, each with its rack."""
    return [replace(host(name), labels={"rack": rack}) for name, rack in racks.items()]


def test_who_is_needed_in_a_rack_leaves_its_host_but_not_the_rack() -> None:
    near = replace(vm(1), affinity=("vm:leader@rack",))
    where = {"leader": ("a", vm(2)), "follower": ("b", near), "full": ("c", vm(15))}
    plan = drain(fleet_of(*racked(a="r1", b="r1", c="r1", d="r2"), **where), "a", POLICY, now=NOW)
    assert told(plan) == [("leader", "a", "b")]
    # In r1 there is no room, and r2 is too far away.
    full = ("b", replace(vm(15), pinned=True))
    stuck = fleet_of(*racked(a="r1", b="r1", d="r2"), leader=("a", vm(2)), follower=("b", near), full=full)
    plan = drain(stuck, "a", POLICY, now=NOW)
    assert told(plan) == []
    assert rules(plan) == {"leader": ["affinity"]}
    assert [stay.reason.message for stay in plan.stays if stay.reason] == ["follower has to be near it"]


def test_vms_tied_by_a_rack_change_racks_together() -> None:
    tied = replace(vm(6), group="g", affinity=("group:g@rack",))
    fleet = fleet_of(*racked(a="r1", b="r2", c="r3", d="r3"), v1=("a", tied), v2=("a", tied), full=("b", vm(9)))
    fleet.add("low", "c", replace(vm(9), vm="low"))
    fleet.add("lower", "d", replace(vm(9), vm="lower"))
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert {move.target for move in plan.moves} == {"c", "d"}
    assert plan.stays == ()


def test_no_step_of_those_tied_together_leaves_a_host_that_could_not_fail() -> None:
    careful = replace(POLICY, filters=(*POLICY.filters, "n_plus_one"))
    tied = replace(vm(4), group="g", affinity=("group:g",))
    fleet = fleet_of(host("a"), host("b"), host("c"), v1=("a", tied), v2=("a", tied), v3=("b", vm(4)))
    plan = drain(fleet, "a", careful, now=NOW)
    assert {move.target for move in plan.moves} == {"b"} or {move.target for move in plan.moves} == {"c"}
    full = fleet_of(host("a"), host("b"), host("c"), v1=("a", tied), v2=("a", tied), v3=("b", vm(12)), v4=("c", vm(4)))
    assert told(drain(full, "a", POLICY, now=NOW)) == [("v1", "a", "c"), ("v2", "a", "c")]
    assert rules(drain(full, "a", careful, now=NOW)) == {"v1": ["n_plus_one", "n_plus_one"], "v2": ["affinity"]}


def test_vms_that_keep_apart_part() -> None:
    asked = replace(vm(1), labels={"app": "db"}, anti_affinity=("app=db",))
    fleet = fleet_of(*(host(name) for name in "abc"), v1=("a", asked), v2=("a", asked), v3=("b", vm(1)))
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert {move.target for move in plan.moves} == {"b", "c"}


def test_vms_on_numa_nodes_get_nodes_there() -> None:
    fleet = Fleet([node_host("a"), node_host("b"), HostView("c", 64, 64 * GIB)])
    fleet.add("wide", "a", Request(6, 8 * GIB, numa=2), (0, 1))
    fleet.add("slim", "b", Request(2, 6 * GIB, numa=1), (0,))
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert rules(plan)["wide"] == ["numa", "numa"]
    fleet.remove("slim")
    plan = drain(fleet, "a", POLICY, now=NOW)
    assert told(plan) == [("wide", "a", "b")]
    assert play(fleet, plan, POLICY, closed=["a"]).nodes_of("wide") == (0, 1)


def test_off_a_host_that_is_down_nothing_can_be_moved() -> None:
    fleet = fleet_of(replace(host("a"), state="down"), host("b"), v=("a", vm()))
    assert rules(drain(fleet, "a", POLICY, now=NOW)) == {"v": ["reachable"]}
    fleet = fleet_of(replace(host("a"), state="maintenance"), host("b"), v=("a", vm()))
    assert told(drain(fleet, "a", POLICY, now=NOW)) == [("v", "a", "b")]


def test_a_host_that_there_is_not_is_an_error_that_names_those_that_there_are() -> None:
    with pytest.raises(InputError) as caught:
        drain(fleet_of(host("a"), host("b")), "c", POLICY, now=NOW)
    assert [(one.field, one.message, one.allowed) for one in caught.value.problems] == [
        ("host", "'c' is not among the hosts", "a, b")
    ]
