"""Who would have to leave so that something more important fits: as few as will do, and nobody who may not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.priority import Precedence
from minicloud_core.scheduler.request import Request

NOW = 1_000_000.0
GIB = 1024
PRECEDENCE = Precedence(from_priority=100, victims_below=50, at_most=3)
POLICY = Policy("strict", weights={"free_memory": 1.0}, limits=Limits(1.0, 0), preemption=PRECEDENCE)
URGENT = Request(4, 4 * GIB, priority=100)


def host(name: str, cpu: int = 4, ram: int = 8) -> HostView:
    return HostView(name, cpu, ram * GIB)


def filled(*hosts: HostView, **vms: tuple[str, Request]) -> Scheduler:
    scheduler = Scheduler(Fleet(hosts), POLICY)
    for vm, (on, request) in vms.items():
        scheduler.settle(vm, on, request)
    return scheduler


def small(priority: int = 0, cpu: int = 1) -> Request:
    return Request(cpu, GIB, priority=priority)


def victims(scheduler: Scheduler, request: Request = URGENT) -> tuple[str | None, list[str]]:
    decision = scheduler.place(request, now=NOW, preempt=True)
    return decision.host, [victim.vm for victim in decision.preempts]


def test_the_fewest_leave() -> None:
    scheduler = filled(
        host("a"), host("b"), a1=("a", small(cpu=2)), a2=("a", small(cpu=2)), b1=("b", small(cpu=4, priority=49))
    )
    assert victims(scheduler) == ("b", ["b1"])


def test_of_as_many_the_least_important_leave() -> None:
    scheduler = filled(host("a"), host("b"), a1=("a", small(2, 4)), b1=("b", small(1, 4)))
    assert victims(scheduler) == ("b", ["b1"])
    # The most important of them counts first, then all.
    pairs = filled(
        host("a"), host("b"),
        a1=("a", small(3, 2)), a2=("a", small(0, 2)), b1=("b", small(2, 2)), b2=("b", small(2, 2)),
    )  # fmt: skip
    assert victims(pairs) == ("b", ["b1", "b2"])


def test_all_else_alike_names_decide() -> None:
    scheduler = filled(host("b"), host("a"), y=("a", small(0, 4)), x=("b", small(0, 4)))
    assert victims(scheduler) == ("a", ["y"])
    wide = filled(host("a", cpu=5), z=("a", small(0, 2)), x=("a", small(0, 2)), y=("a", small(0, 1)))
    assert victims(wide, Request(3, GIB, priority=100)) == ("a", ["x", "y"])


def test_nobody_of_the_protected_leaves_whoever_asks() -> None:
    scheduler = filled(host("a"), a1=("a", small(50, 4)))
    assert victims(scheduler, replace(URGENT, priority=1000)) == (None, [])


def test_who_is_not_important_enough_takes_nobodys_place() -> None:
    scheduler = filled(host("a"), a1=("a", small(0, 4)))
    assert victims(scheduler, replace(URGENT, priority=99)) == (None, [])
    assert victims(scheduler) == ("a", ["a1"])


def test_no_more_leave_than_the_policy_lets() -> None:
    scheduler = filled(host("a"), **{f"a{number}": ("a", small()) for number in range(4)})
    assert victims(scheduler, Request(3, GIB, priority=100)) == ("a", ["a0", "a1", "a2"])
    assert victims(scheduler) == (None, [])


def test_nobody_leaves_where_that_would_not_help() -> None:
    cordoned = replace(host("a"), cordoned=True)
    assert victims(filled(cordoned, a1=("a", small(0, 4)))) == (None, [])
    assert victims(filled(host("a", ram=2), a1=("a", small(0, 4)))) == (None, [])


def test_nobody_leaves_for_want_of_disk() -> None:
    small_disk = replace(host("a"), disk_bytes=100)
    scheduler = filled(small_disk, a1=("a", replace(small(cpu=4), disk_bytes=60)))
    assert victims(scheduler, replace(URGENT, disk_bytes=40)) == ("a", ["a1"])
    assert victims(scheduler, replace(URGENT, disk_bytes=41)) == (None, [])


def test_nobody_who_is_spared_leaves() -> None:
    scheduler = filled(host("a"), a1=("a", small(0, 2)), a2=("a", small(0, 2)), a3=("a", small(9, 0)))
    asked = Request(2, GIB, priority=100)
    assert victims(scheduler, asked) == ("a", ["a1"])
    decision = scheduler.place(asked, now=NOW, preempt=True, spared=lambda vm: vm == "a1")
    assert [victim.vm for victim in decision.preempts] == ["a2"]
    assert scheduler.place(asked, now=NOW, preempt=True, spared=lambda _vm: True).host is None


def test_nobody_leaves_where_there_is_room() -> None:
    scheduler = filled(host("a"), host("b"), a1=("a", small(0, 4)))
    assert victims(scheduler) == ("b", [])


def test_it_has_to_be_asked_for() -> None:
    scheduler = filled(host("a"), a1=("a", small(0, 4)))
    assert scheduler.place(URGENT, now=NOW).host is None
    assert (
        Scheduler(scheduler.fleet, replace(POLICY, preemption=None)).place(URGENT, now=NOW, preempt=True).host is None
    )


def test_who_keeps_away_from_it_may_have_to_leave_too() -> None:
    rival = Request(1, GIB, labels={"app": "db"})
    scheduler = filled(host("a", cpu=8), a1=("a", rival), a2=("a", small()))
    assert victims(scheduler, Request(1, GIB, priority=100, anti_affinity=("app=db",))) == ("a", ["a1"])


def test_numa_nodes_are_made_free() -> None:
    nodes = (NumaNode(4, 4 * GIB), NumaNode(4, 4 * GIB))
    scheduler = filled(
        replace(host("a", cpu=8), numa=nodes),
        a1=("a", Request(1, GIB, numa=1)),
        a2=("a", Request(3, GIB, numa=1)),
        a3=("a", Request(2, GIB, numa=1)),
    )
    found, leaving = victims(scheduler, Request(4, GIB, numa=1, priority=100))
    assert (found, leaving) == ("a", ["a3"])


def test_the_decision_says_who_leaves_and_the_fleet_stays_as_it_is() -> None:
    scheduler = filled(host("a"), a1=("a", small(7, 4)))
    before = scheduler.fleet.moment
    decision = scheduler.place(URGENT, now=NOW, preempt=True)
    assert scheduler.fleet.moment is before
    assert scheduler.fleet.where("a1") == "a"
    mapping = decision.to_mapping()
    assert mapping["preempts"] == [{"vm": "a1", "priority": 7}]
    assert mapping["host"] == "a"
    assert [one["host"] for one in mapping["refused"]] == ["a"]
    assert decision.score == 0.5


@pytest.mark.parametrize(("start", "below", "most"), [(10, 11, 1), (10, 10, 0), (10, 10, 65)])
def test_impossible_figures_are_refused(start: int, below: int, most: int) -> None:
    with pytest.raises(ValueError, match=r"victims_below|at_most"):
        Precedence(start, below, most)


lodgers = st.builds(
    Request,
    cpu=st.integers(1, 3),
    ram_mib=st.sampled_from([GIB, 2 * GIB, 4 * GIB]),
    priority=st.sampled_from([0, 1, 2, 49, 50, 100]),
)
wanted = st.builds(
    Request, cpu=st.integers(1, 6), ram_mib=st.sampled_from([GIB, 6 * GIB]), priority=st.sampled_from([99, 100, 200])
)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), lodgers), max_size=7), wanted)
def test_the_plan_is_the_best_of_all_sets(vms: list[tuple[str, Request]], request: Request) -> None:
    scheduler = Scheduler(Fleet([host("a", 6, 8), host("b", 6, 8)]), POLICY)
    lying: dict[str, tuple[str, Request]] = {}
    for number, (on, vm) in enumerate(vms):
        if scheduler.ranks(replace(vm, host=on), now=NOW).max() >= 0:
            scheduler.settle(f"vm-{number}", on, vm)
            lying[f"vm-{number}"] = (on, vm)
    plan = scheduler.preempt(request, now=NOW)
    if scheduler.choose(request, now=NOW) is not None or request.priority < PRECEDENCE.from_priority:
        assert plan is None
        return
    best = min(_sets(lying, request), default=None)
    found = None if plan is None else (plan.host, [victim.vm for victim in plan.victims])
    assert found == (None if best is None else (best[3], best[4]))


def _sets(lying: dict[str, tuple[str, Request]], request: Request) -> list[tuple[int, int, int, str, list[str]]]:
    """Every set that would do, in plain words: count, highest, total, host, names."""
    found = []
    for name in ("a", "b"):
        there = {vm: one for vm, (on, one) in lying.items() if on == name}
        leave = sorted(vm for vm, one in there.items() if one.priority < PRECEDENCE.victims_below)
        for count in range(1, PRECEDENCE.at_most + 1):
            for chosen in combinations(leave, count):
                stay = [one for vm, one in there.items() if vm not in chosen]
                cpu, ram = sum(one.cpu for one in stay), sum(one.ram_mib for one in stay)
                if cpu + request.cpu <= 6 and ram + request.ram_mib <= 8 * GIB:
                    priorities = [there[vm].priority for vm in chosen]
                    found.append((count, max(priorities), sum(priorities), name, list(chosen)))
    return found
