"""Any one host may fail: what the rule promises, and that it keeps it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.absorption import Absorption
from minicloud_core.scheduler.board import Board
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import CRITICAL, Policy
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler import reference, reference_failure

GIB = 1024
ALONE = Policy("alone", filters=("ready", "cordon", "cpu", "memory", "n_plus_one"), limits=Limits(1.0, 0))
HOST = HostView("", cpu=16, ram_mib=16 * GIB)


def hosts(*ids: str) -> list[HostView]:
    return [replace(HOST, id=name) for name in ids]


def accepting(fleet: Fleet, request: Request) -> str:
    return "".join(sorted(one.host for one in place(fleet, request, ALONE, now=0.0).accepted))


def test_a_single_host_may_not_fail_with_anything_on_it() -> None:
    decision = place(Fleet(hosts("a")), Request(1, GIB), ALONE, now=0.0)
    (reason,) = decision.refused[0].reasons
    assert reason.rule == "n_plus_one"
    assert reason.message == (
        "were a to fail, its VMs would want 1 GiB in pieces of 1 GiB, and the others would have 0 MiB"
        " (virtual CPUs counted as the memory that goes with them)"
    )
    assert reason.numbers == {
        "fails": "a",
        "wanted_mib": 1024,
        "piece_mib": 1024,
        "free_mib": 0,
        "short_before_mib": 0,
    }


def test_a_fleet_of_no_hosts_takes_nothing() -> None:
    assert place(Fleet([]), Request(1, GIB), ALONE, now=0.0).host is None


def test_two_hosts_may_be_filled_by_half() -> None:
    fleet = Fleet(hosts("a", "b"))
    placed = 0
    while names := accepting(fleet, Request(1, GIB)):
        fleet.add(f"vm-{placed}", names[0], Request(1, GIB))
        placed += 1
    assert placed == 16


def test_room_in_pieces_too_small_is_none() -> None:
    fleet = Fleet(hosts("a", "b", "c"))
    fleet.add("large", "a", Request(8, 8 * GIB))
    assert accepting(fleet, Request(4, 4 * GIB)) == "abc"
    fleet.add("b1", "b", Request(4, 4 * GIB))
    fleet.add("b2", "b", Request(5, 5 * GIB))
    fleet.add("c1", "c", Request(4, 4 * GIB))
    decision = place(fleet, Request(5, 5 * GIB), ALONE, now=0.0)
    reasons = {one.host: one.reasons[0] for one in decision.refused}
    # On c, neither of the others has 8 GiB in one piece. On a, 5 GiB count as 8, and b has 7: more than need be denied.
    assert sorted(reasons) == ["a", "c"]
    assert reasons["c"].numbers["fails"] == "a"
    assert reasons["c"].numbers["piece_mib"] == 8 * GIB


@pytest.mark.parametrize("change", [{"state": "down"}, {"cordoned": True}])
def test_a_host_that_takes_no_vms_absorbs_none(change: dict[str, object]) -> None:
    views = hosts("a", "b")
    assert accepting(Fleet(views), Request(1, GIB)) == "ab"
    assert accepting(Fleet([views[0], replace(views[1], **change)]), Request(1, GIB)) == ""  # type: ignore[arg-type]


def test_what_a_hosts_figures_say_has_to_be_absorbed_too() -> None:
    def beside(allocated: int) -> str:
        views = [replace(HOST, id="a", allocated_cpu=allocated, allocated_ram_mib=GIB), *hosts("b")]
        return accepting(Fleet(views), Request(8, 8 * GIB))

    assert beside(0) == "ab"
    assert beside(8) == "ab"
    # More than 8, and in one piece for all that is known: nothing but the whole of b will do for it.
    assert beside(9) == ""


def short() -> Fleet:
    """Neither a nor b could fail: 12 GiB lie on each, and c, which would have had room, is down."""
    fleet = Fleet([*hosts("a", "b"), replace(HOST, id="c", state="down")])
    for number in range(6):
        fleet.add(f"vm-{number}", "ab"[number % 2], Request(4, 4 * GIB))
    return fleet


def test_who_comes_to_a_fleet_that_is_short_already_is_told() -> None:
    decision = place(short(), Request(1, GIB, host="a"), ALONE, now=0.0)
    (reason,) = next(one.reasons for one in decision.refused if one.host == "a")
    assert reason.message == (
        "were a to fail, its VMs would want 12 GiB in pieces of 4 GiB, and the others would have 4 GiB"
        " (virtual CPUs counted as the memory that goes with them)"
        "; without this VM that would be 8 GiB too little already"
    )
    assert reason.numbers["short_before_mib"] == 8 * GIB


def test_who_moves_in_a_fleet_that_is_short_makes_it_no_worse() -> None:
    fleet = short()
    fleet.add("small", "a", Request(1, GIB))
    moving = Request(1, GIB, source="a", vm="small")
    fleet.remove("small")
    # On b it takes of what a's failure needs: there would be room for 3 GiB, and none of 4.
    assert accepting(fleet, moving) == "a"
    assert accepting(fleet, replace(moving, source=None)) == ""
    (reason,) = next(one.reasons for one in place(fleet, moving, ALONE, now=0.0).refused if one.host == "b")
    assert reason.message.endswith("; with this VM on a that would be 8 GiB too little already")
    # With a fourth host it could go there, though a and b still could not fail.
    wider = Fleet([*fleet.hosts, replace(HOST, id="d", cpu=3, ram_mib=3 * GIB)])
    for vm in fleet.vms():
        wider.add(vm, str(fleet.where(vm)), fleet.request_of(vm))
    assert accepting(wider, moving) == "ad"


def test_the_critical_profile_keeps_a_host_free_and_the_others_do_not() -> None:
    assert "n_plus_one" in CRITICAL.filters
    assert "n_plus_one" not in Policy("usual").filters


views = st.builds(
    HostView,
    id=st.just(""),
    cpu=st.sampled_from([16, 16, 8, 12, 5]),
    ram_mib=st.sampled_from([16 * GIB, 16 * GIB, 8 * GIB, 24 * GIB]),
    state=st.sampled_from(["ready"] * 6 + ["down"]),
    cordoned=st.sampled_from([False] * 6 + [True]),
    allocated_cpu=st.sampled_from([0] * 6 + [1.5, 6]),
    allocated_pinned_cpu=st.sampled_from([0, 0, 1]),
    allocated_ram_mib=st.sampled_from([0] * 6 + [GIB]),
    cpu_overcommit=st.sampled_from([None, None, 1.5, 2.0, 0.7]),
    huge_pages_mib=st.sampled_from([0, 0, 2 * GIB]),
)
fleets = st.lists(views, min_size=1, max_size=4).map(
    lambda found: [
        replace(view, id=f"node{number}", allocated_pinned_cpu=min(view.allocated_pinned_cpu, view.allocated_cpu))
        for number, view in enumerate(found)
    ]
)
vms = st.builds(
    Request,
    cpu=st.sampled_from([1, 2, 4, 8, 0.5, 3, 7, 0]),
    ram_mib=st.sampled_from([GIB, 2 * GIB, 4 * GIB, 8 * GIB, 3 * GIB, 100, 0]),
    pinned=st.sampled_from([False, False, True]),
    huge_pages=st.sampled_from([False, False, False, True]),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(fleets, st.lists(st.tuples(vms, st.integers(0, 3)), max_size=6), vms)
def test_the_rule_is_what_a_plain_reading_says_and_keeps_its_promise(
    hosts: list[HostView], placed: list[tuple[Request, int]], request: Request
) -> None:
    machines = [reference.Machine(view, ALONE.limits) for view in hosts]
    fleet = Fleet(hosts)
    for number, (vm, host) in enumerate(placed):
        machine = machines[host % len(machines)]
        machine.vms.append((vm, ()))
        fleet.add(f"vm-{number}", machine.view.id, vm)
    for source in (None, *fleet.rows):
        moving = replace(request, source=source)
        decision = place(fleet, moving, ALONE, now=0.0)
        reference.check(decision, reference.decide(machines, moving, ALONE, (), 0.0))
    decision = place(fleet, request, ALONE, now=0.0)
    for one in decision.accepted:
        chosen = machines[fleet.rows[one.host]]
        assert reference_failure.could_be_absorbed(machines, chosen, request)


@settings(deadline=None, max_examples=80)
@given(fleets, st.lists(vms, min_size=1, max_size=10), st.randoms(use_true_random=False))
def test_what_came_by_the_rule_could_always_be_absorbed(
    hosts: list[HostView], wanted: list[Request], dice: random.Random
) -> None:
    """A kept scheduler agrees with a fresh one while VMs come and go, and each host may fail at every step."""
    fleet = Fleet([replace(view, allocated_cpu=0, allocated_ram_mib=0, allocated_pinned_cpu=0) for view in hosts])
    machines = [reference.Machine(view, ALONE.limits) for view in fleet.hosts]
    scheduler, alive = Scheduler(fleet, ALONE), []
    for number, request in enumerate(wanted):
        decision = scheduler.place(request, now=0.0)
        assert decision == place(fleet, request, ALONE, now=0.0)
        if decision.host is not None:
            chosen = machines[fleet.rows[decision.host]]
            assert reference_failure.could_be_absorbed(machines, chosen, request)
            scheduler.take(f"vm-{number}", decision.host, request)
            chosen.vms.append((request, ()))
            alive.append((f"vm-{number}", chosen, request))
        if alive and dice.random() < 0.3:
            vm, machine, lying = alive.pop(dice.randrange(len(alive)))
            fleet.remove(vm)
            machine.vms.remove((lying, ()))


@settings(deadline=None, max_examples=80)
@given(fleets, st.lists(st.tuples(vms, st.integers(0, 3)), max_size=6), vms, views)
def test_another_empty_host_that_is_no_larger_takes_no_place_away(
    hosts: list[HostView], placed: list[tuple[Request, int]], request: Request, another: HostView
) -> None:
    largest = max(hosts, key=lambda host: (host.cpu, host.ram_mib))
    if another.cpu > largest.cpu or another.ram_mib > largest.ram_mib:
        return
    # What it is measured by is what it may promise; so of its own figures, the largest host's.
    another = replace(another, cpu_overcommit=largest.cpu_overcommit, huge_pages_mib=largest.huge_pages_mib)
    another = replace(another, id="node9", allocated_cpu=0, allocated_ram_mib=0, allocated_pinned_cpu=0)
    before, after = Fleet(hosts), Fleet([*hosts, another])
    for number, (vm, host) in enumerate(placed):
        for fleet in (before, after):
            fleet.add(f"vm-{number}", hosts[host % len(hosts)].id, vm)
    accepted = {one.host for one in place(before, request, ALONE, now=0.0).accepted}
    assert accepted <= {one.host for one in place(after, request, ALONE, now=0.0).accepted}


@pytest.mark.slow
@settings(deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32), st.sampled_from([1, 4, 16]))
def test_whether_room_is_ample_is_the_same_whoever_counted_when(many: int, seed: int, largest: int) -> None:
    dice = random.Random(seed)
    fleet = Fleet(hosts(*(f"node{number:02}" for number in range(many))))
    standing, there = Absorption(Board(fleet, ALONE.limits)), list[str]()
    for turn in range(60):
        size = dice.randint(1, largest)
        request = Request(size, dice.randint(1, size) * GIB, pinned=dice.random() < 0.2)
        assert standing.ample(request) == Absorption(Board(fleet, ALONE.limits)).ample(request)
        if there and dice.random() < 0.3:
            fleet.remove(there.pop(dice.randrange(len(there))))
        else:
            fleet.add(f"vm-{turn}", fleet.hosts[dice.randrange(many)].id, request)
            there.append(f"vm-{turn}")
