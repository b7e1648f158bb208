"""Evening out a fleet, by example."""

from __future__ import annotations

from dataclasses import replace

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import place
from minicloud_core.scheduler.planner.aim import Aim
from minicloud_core.scheduler.planner.rebalance import rebalance
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

from tests.unit.scheduler.planner.drawn import GIB
from tests.unit.scheduler.planner.referee import NOW, play
from tests.unit.scheduler.planner.test_drain import POLICY, fleet_of, host, rules, told, vm


def test_a_full_host_gives_to_an_empty_one() -> None:
    fleet = fleet_of(host("a"), host("b"), **{f"v{number}": ("a", vm(4)) for number in range(4)})
    plan = rebalance(fleet, POLICY, now=NOW)
    assert told(plan) == [("v0", "a", "b"), ("v1", "a", "b")]
    assert plan.before == {"score": 0.625, "memory": 0.5, "disk": 0.0, "cpu": 0.125, "violations": 0}
    assert plan.after == {"score": 0.0, "memory": 0.0, "disk": 0.0, "cpu": 0.0, "violations": 0}


def test_a_move_has_to_gain_more_than_it_costs() -> None:
    fleet = fleet_of(host("a"), host("b"), **{f"v{number}": ("a", vm(4)) for number in range(4)})
    # The first of the two gains 0.3125, and so does the second; times two hosts. Each VM has a quarter of a host.
    assert len(rebalance(fleet, POLICY, now=NOW, aim=Aim(0.62, 0.0)).moves) == 2
    assert len(rebalance(fleet, POLICY, now=NOW, aim=Aim(0.63, 0.0)).moves) == 0
    assert len(rebalance(fleet, POLICY, now=NOW, aim=Aim(0.0, 2.4)).moves) == 2
    assert len(rebalance(fleet, POLICY, now=NOW, aim=Aim(0.0, 2.6)).moves) == 0
    assert len(rebalance(fleet, POLICY, now=NOW, aim=Aim(at_most=1)).moves) == 1
    assert len(rebalance(fleet, POLICY, now=NOW, aim=Aim(until=0.4)).moves) == 1


def test_what_is_held_or_off_does_not_move() -> None:
    fleet = fleet_of(
        host("a"),
        host("b"),
        named=("a", replace(vm(), host="a")),
        pinned=("a", replace(vm(), pinned=True)),
        off=("a", vm()),
    )
    fleet.not_running.add("off")
    assert told(rebalance(fleet, POLICY, now=NOW)) == []


def test_who_breaks_a_rule_moves_first_and_counts_as_a_violation() -> None:
    asked = replace(vm(1), labels={"app": "db"}, anti_affinity=("app=db",))
    fleet = fleet_of(host("a"), host("b"), v1=("a", asked), v2=("a", asked), v3=("b", vm(8)))
    plan = rebalance(fleet, POLICY, now=NOW)
    assert told(plan)[0] == ("v1", "a", "b")
    assert (plan.before["violations"], plan.after["violations"]) == (2, 0)


def test_an_overfull_host_is_relieved_by_few_large_moves() -> None:
    fleet = fleet_of(host("a", 8), host("b", 16), v1=("a", vm(1)), v2=("a", vm(4)), v3=("a", vm(5)))
    plan = rebalance(fleet, POLICY, now=NOW, aim=Aim(min_gain=9))
    assert told(plan) == [("v3", "a", "b")]
    assert (plan.before["violations"], plan.after["violations"]) == (3, 0)


def test_a_violation_that_cannot_be_mended_is_told_with_its_reasons() -> None:
    asked = replace(vm(1), labels={"app": "db"}, anti_affinity=("app=db",))
    fleet = fleet_of(
        host("a"), replace(host("b"), cordoned=True), v1=("a", asked), v2=("a", replace(asked, pinned=True))
    )
    plan = rebalance(fleet, POLICY, now=NOW)
    assert told(plan) == []
    assert rules(plan) == {"v1": ["cordon"], "v2": ["pinned"]}


def test_nobody_is_left_behind_by_whom_it_has_to_be_with() -> None:
    follower = replace(vm(1), affinity=("vm:leader",))
    fleet = fleet_of(host("a"), host("b"), leader=("a", vm(8)), follower=("a", follower))
    assert told(rebalance(fleet, POLICY, now=NOW)) == []
    alone = fleet_of(host("a"), host("b"), leader=("a", vm(8)), other=("a", vm(1)))
    assert len(rebalance(alone, POLICY, now=NOW).moves) == 1


def test_who_was_refused_is_asked_again_once_others_have_moved() -> None:
    """g2 may not go to the empty a2 while g1 is in that rack, and may when g1 has gone."""
    racks, fast = {"a1": "A", "a2": "A", "b1": "B", "c1": "C"}, {"disk": "fast"}
    hosts = [
        HostView(name, 16, 16 * GIB, labels={"rack": rack} | (fast if name in ("a1", "c1") else {}))
        for name, rack in racks.items()
    ]
    grouped = replace(vm(4), group="g", spread=(Spread("rack", 1),))
    fleet = fleet_of(
        *hosts,
        g1=("a1", replace(grouped, ram_mib=8 * GIB, host_labels=fast)),
        p1=("a1", replace(vm(8), pinned=True)),
        p2=("b1", replace(vm(8), pinned=True)),
        g2=("b1", grouped),
    )
    plan = rebalance(fleet, POLICY, now=NOW)
    assert told(plan) == [("g1", "a1", "c1"), ("g2", "b1", "a2")]
    play(fleet, plan, POLICY)


def test_hosts_that_take_no_vms_do_not_count() -> None:
    fleet = fleet_of(host("a"), host("b"), replace(host("c"), cordoned=True), v1=("a", vm()), v2=("b", vm()))
    plan = rebalance(fleet, POLICY, now=NOW)
    assert (told(plan), plan.before["score"]) == ([], 0.0)


def test_a_fleet_without_hosts_or_vms_is_even() -> None:
    for fleet in (Fleet([]), Fleet([host("a")]), fleet_of(host("a"), v=("a", vm()))):
        plan = rebalance(fleet, POLICY, now=NOW)
        assert (told(plan), plan.before) == ([], {"score": 0, "memory": 0, "disk": 0, "cpu": 0, "violations": 0})


def test_many_hosts_of_many_sizes_become_even() -> None:
    """A fleet in which early hosts are full and late ones empty, and some VMs fit some hosts alone."""
    hosts = [
        HostView(f"h{number:02}", 16, 64 * GIB, labels={"disk": "fast" if number % 3 else "slow"})
        for number in range(30)
    ]
    fleet = Fleet(hosts)
    for number in range(180):
        asked = Request(1 + number % 4, (1 + number % 7) * GIB, host_labels={"disk": "fast"} if number % 5 else {})
        fleet.add(f"v{number:03}", f"h{number // 12:02}", asked)
    policy = replace(POLICY, limits=replace(POLICY.limits, cpu_overcommit=4.0))
    plan = rebalance(fleet, policy, now=NOW)
    after = play(fleet, plan, policy)
    # VMs that need a fast disk were on slow ones.
    assert plan.before["violations"] > 30
    assert plan.after["violations"] == 0
    # Four of five VMs keep off the third of the hosts that is slow, so it cannot be even.
    assert plan.after["score"] < 0.35 * (plan.before["score"] - plan.before["violations"])
    assert rebalance(after, policy, now=NOW).moves == ()
    assert len({move.vm for move in plan.moves}) == len(plan.moves)


CAREFUL = replace(POLICY, filters=(*POLICY.filters, "n_plus_one"))


def test_in_a_fleet_that_is_short_moves_are_made_that_make_it_no_worse() -> None:
    """Neither of the two could fail, and one of four VMs does better on the other."""
    fleet = fleet_of(host("a"), host("b"), **{f"v{number}": ("a", vm(4)) for number in range(4)}, b=("b", vm(8)))
    assert place(fleet, vm(1), CAREFUL, now=NOW).host is None
    plan = rebalance(fleet, CAREFUL, now=NOW)
    assert told(plan) == [("v0", "a", "b")]
    play(fleet, plan, CAREFUL)
    # On b, half of which is free, the small one would lie where the large one had to go, were a to fail.
    small, large = vm(1), vm(8)
    worse = fleet_of(host("a"), host("b"), a0=("a", small), a1=("a", small), a2=("a", large), b=("b", vm(8)))
    assert told(rebalance(worse, POLICY, now=NOW)) == [("a0", "a", "b")]
    assert told(rebalance(worse, CAREFUL, now=NOW)) == []
