"""Many VMs at once: groups whole or not at all, more than one by one, and nothing that a rule refuses."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.batch import Batch, BatchDecision, place_batch, rehearse_batch, take_batch
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.group import Group, NewVm
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import PACK, SPREAD, Policy
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

NOW = 1_000_000.0
GIB = 1024
POLICY = replace(SPREAD, name="tight", limits=Limits(1.0, 0))


def host(name: str, cpu: int = 4, ram: int = 64, **labels: str) -> HostView:
    return HostView(name, cpu, ram * GIB, labels=labels)


def vm(name: str, cpu: int = 1, ram: int = 1, **more: object) -> NewVm:
    return NewVm(name, Request(cpu, ram * GIB, **more))  # type: ignore[arg-type]


def decide(fleet: Fleet, *vms: NewVm, groups: tuple[Group, ...] = (), policy: Policy = POLICY) -> BatchDecision:
    return place_batch(fleet, Batch(groups, vms), policy, now=NOW)


def hosts_of(decision: BatchDecision) -> dict[str, str]:
    return {new.id: name for new, name in decision.placed}


def test_all_go_where_the_policy_would_have_them_while_all_fit() -> None:
    decision = decide(Fleet([host("a"), host("b")]), vm("x"), vm("y"))
    assert hosts_of(decision) == {"x": "a", "y": "b"}
    assert not decision.left_out
    assert decision.decisions["x"].host == "a"


def test_more_fit_than_one_by_one() -> None:
    fleet, wanted = Fleet([host("a"), host("b")]), [vm("x", 2), vm("y", 2), vm("z", 4)]
    one_by_one = Scheduler(fleet.copy(), POLICY)
    for new in wanted[:2]:
        one_by_one.take(new.id, str(one_by_one.choose(new.request, now=NOW)), new.request)
    assert one_by_one.choose(wanted[2].request, now=NOW) is None
    assert hosts_of(decide(fleet, *wanted)) == {"z": "a", "x": "b", "y": "b"}


def test_many_small_ones_rather_than_one_large_where_not_all_fit() -> None:
    decision = decide(Fleet([host("a")]), vm("large", 4), vm("x", 2), vm("y", 2))
    assert set(hosts_of(decision)) == {"x", "y"}
    assert [(one.group, one.vms, one.because) for one in decision.left_out] == [(None, ("large",), "large")]
    assert decision.decisions["large"].host is None
    assert [reason.rule for reason in decision.decisions["large"].refused[0].reasons] == ["cpu"]


def test_the_more_important_comes_first_whatever_its_size() -> None:
    decision = decide(Fleet([host("a")]), vm("x", 2), vm("y", 2), vm("large", 4, priority=10))
    assert set(hosts_of(decision)) == {"large"}


def test_a_group_is_placed_whole_or_not_at_all() -> None:
    three = Group("db", tuple(vm(f"db{number}", 3) for number in range(3)))
    decision = decide(Fleet([host("a"), host("b")]), vm("x", 3), groups=(three,))
    assert set(hosts_of(decision)) == {"x"}
    (left,) = decision.left_out
    assert (left.group, left.vms, left.because) == ("db", ("db0", "db1", "db2"), "db1")
    assert decision.decisions["db0"].host is not None
    assert decision.decisions["db1"].host is None
    two = replace(three, vms=three.vms[:2])
    assert set(hosts_of(decide(Fleet([host("a"), host("b")]), groups=(two,)))) == {"db0", "db1"}


def test_a_group_is_spread_as_it_says() -> None:
    racks = Fleet([host("a", rack="1"), host("b", rack="1"), host("c", rack="2")])
    group = Group("db", (vm("db0"), vm("db1")), spread=(Spread("rack", 1),))
    placed = hosts_of(decide(racks, groups=(group,)))
    assert {placed["db0"], placed["db1"]} in ({"a", "c"}, {"b", "c"})
    three = replace(group, vms=(*group.vms, vm("db2")))
    decision = decide(racks, groups=(three,))
    assert not decision.placed
    assert decision.left_out[0].because == "db2"
    assert {reason.rule for refusal in decision.decisions["db2"].refused for reason in refusal.reasons} == {"spread"}


def test_members_may_ask_to_be_with_those_before_them() -> None:
    group = Group("app", (vm("app0"), vm("app1", affinity=("vm:app0",))))
    placed = hosts_of(decide(Fleet([host("a"), host("b"), host("c")]), groups=(group,)))
    assert placed["app0"] == placed["app1"]


def test_what_is_left_over_is_fitted_in_by_moving_another() -> None:
    # Largest by memory first, c lies with a and b finds its only host full; c has to move.
    fleet = Fleet([host("h1", cpu=4, ram=4), host("h2", cpu=4, ram=4)])
    fleet.add("old", "h2", Request(2, GIB))
    decision = decide(fleet, vm("a", 2, 1), vm("b", 2, 1, host="h1"), vm("c", 2, 2))
    assert len(decision.placed) == 3
    assert hosts_of(decision)["b"] == "h1"


def test_the_fleet_stays_as_it_is_and_the_answer_is_the_same_again() -> None:
    fleet = Fleet([host("a"), host("b")])
    fleet.add("old", "a", Request(1, GIB))
    moment, shares = fleet.moment, fleet.mix.shares
    wanted = [vm(f"vm{number}", 1 + number % 3) for number in range(6)]
    first, again = decide(fleet, *wanted), decide(fleet, *wanted)
    assert fleet.moment is moment
    assert fleet.mix.shares is shares
    assert first.to_mapping() == again.to_mapping()
    assert fleet.vms() == ["old"]


def test_what_is_refused_alike_is_told_to_each_by_its_own_name() -> None:
    fleet = Fleet([host("a", 2)])
    fleet.add("shy", "a", Request(1, GIB, vm="shy", anti_affinity=("vm:y",)))
    scheduler = Scheduler(fleet, POLICY)
    wanted = (vm("x", 2), vm("y", 2), vm("z", 2))
    decision = rehearse_batch(scheduler, Batch(vms=wanted), now=NOW)
    for new in wanted:
        told = decision.decisions[new.id]
        assert told.to_mapping()["request"]["vm"] == new.id
        assert told.to_mapping() == scheduler.place(replace(new.request, vm=new.id), now=NOW).to_mapping()
    errors = [decision.decisions[name].no_capacity().to_mapping() for name in "xyz"]
    assert errors[0] == errors[2] != errors[1]
    assert {reason.rule for reason in decision.decisions["y"].refused[0].reasons} == {"cpu", "anti_affinity"}


def test_what_is_created_at_once_counts_within_the_batch() -> None:
    two = replace(POLICY, limits=replace(POLICY.limits, creates_at_once=2))
    fleet = Fleet([replace(host("a", 8), creating=1), host("b", 8)])
    decision = decide(fleet, *(vm(f"vm{number}") for number in range(4)), policy=two)
    assert Counter(hosts_of(decision).values()) == {"a": 1, "b": 2}
    (left,) = decision.left_out
    assert {reason.rule for one in decision.decisions[left.because].refused for reason in one.reasons} == {"creates"}
    assert fleet.creating.tolist() == [1, 0]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="in the batch twice: x"):
        Batch((Group("db", (vm("x"),)),), (vm("x"),))
    fleet = Fleet([host("a")])
    fleet.add("x", "a", Request(1, GIB))
    with pytest.raises(ValueError, match="in the fleet already: x"):
        decide(fleet, vm("x"))


def test_nothing_is_nothing() -> None:
    decision = decide(Fleet([]))
    assert decision.to_mapping() == {"placed": [], "left_out": [], "decisions": {}}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), max_size=9))
def test_never_fewer_than_one_by_one(sizes: list[tuple[int, int]]) -> None:
    wanted = [vm(f"vm-{number}", cpu, ram) for number, (cpu, ram) in enumerate(sizes)]
    fleet = Fleet([host("a", 6, 6), host("b", 4, 8)])
    one_by_one = Scheduler(fleet.copy(), POLICY)
    for new in wanted:
        chosen = one_by_one.choose(new.request, now=NOW)
        if chosen is not None:
            one_by_one.take(new.id, chosen, new.request)
    assert len(decide(fleet, *wanted).placed) >= len(one_by_one.fleet.vms())


hosts = st.builds(host, st.sampled_from("abcd"), st.integers(1, 6), st.integers(1, 8), rack=st.sampled_from("12"))
asked = st.builds(
    Request,
    cpu=st.integers(1, 4),
    ram_mib=st.integers(1, 5).map(GIB.__mul__),
    priority=st.sampled_from([0, 0, 0, 10]),
    anti_affinity=st.sampled_from([(), (), ("group:g0",)]),
)
groups = st.lists(
    st.tuples(
        st.lists(asked, min_size=1, max_size=3), st.sampled_from([(), (Spread("rack", 1),), (Spread("host", 1),)])
    ),
    max_size=2,
)


nodes = st.builds(NumaNode, st.integers(1, 4), st.integers(1, 4).map(GIB.__mul__))
on_nodes = st.builds(Request, st.integers(1, 4), st.integers(1, 4).map(GIB.__mul__), numa=st.sampled_from([0, 1, 1, 2]))


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.lists(nodes, min_size=2, max_size=3), min_size=1, max_size=3),
    st.lists(on_nodes, min_size=4, max_size=12),
    st.sampled_from([POLICY, replace(PACK, name="filled", limits=Limits(1.0, 0))]),
)
def test_every_vm_finds_its_nodes_where_it_was_sent(
    hosted: list[list[NumaNode]], wanted: list[Request], policy: Policy
) -> None:
    views = [
        HostView(f"h{number}", sum(one.cpu for one in has), sum(one.ram_mib for one in has), numa=tuple(has))
        for number, has in enumerate(hosted)
    ]
    fleet = Fleet(views)
    scheduler = Scheduler(fleet, policy)
    decision = decide(fleet, *(NewVm(f"vm-{number}", one) for number, one in enumerate(wanted)), policy=policy)
    take_batch(scheduler, decision)
    assert fleet.vms() == sorted(new.id for new, _host in decision.placed)
    # A node that a host has not holds less than nothing.
    assert (fleet.node_ram_used <= np.maximum(fleet.node_ram, 0)).all()
    assert all(len(fleet.nodes_of(new.id)) == new.request.numa for new, _host in decision.placed)


fleets = st.lists(hosts, max_size=4, unique_by=lambda one: one.id)
batches = st.builds(
    lambda singles, grouped: Batch(
        tuple(
            Group(f"g{number}", tuple(NewVm(f"g{number}-{index}", one) for index, one in enumerate(members)), spread)
            for number, (members, spread) in enumerate(grouped)
        ),
        tuple(NewVm(f"vm-{number}", one) for number, one in enumerate(singles)),
    ),
    st.lists(asked, max_size=7),
    groups,
)


@settings(deadline=None, max_examples=40)
@given(fleets, batches, st.sampled_from([POLICY, replace(POLICY, limits=Limits(1.0, 0, creates_at_once=2))]))
def test_a_rehearsal_decides_the_same_and_leaves_the_fleet_as_it_was(
    views: list[HostView], batch: Batch, policy: Policy
) -> None:
    fleet = Fleet(views)
    for number, view in enumerate(views):
        fleet.add(f"old{number}", view.id, Request(1, GIB))
    scheduler = Scheduler(fleet, policy)
    scheduler.choose(Request(1, GIB), now=NOW)
    before, mix = picture(fleet), fleet.mix
    aloof = place_batch(fleet, batch, policy, now=NOW).to_mapping()
    at_work = rehearse_batch(scheduler, batch, now=NOW)
    assert picture(fleet) == before
    assert fleet.mix is mix
    assert at_work.to_mapping() == aloof
    # What was put down says the same once the fleet is another.
    for view in views:
        fleet.set_creating(view.id, 9)
    assert at_work.to_mapping() == aloof


def picture(fleet: Fleet) -> tuple[object, ...]:
    """All that is promised, to whom, and what is under way."""
    used = np.column_stack((fleet.cpu_used, fleet.ram_used, fleet.disk_used, fleet.creating)).tolist()
    return used, [(name, fleet.where(name)) for name in fleet.vms()]


@settings(deadline=None, max_examples=60)
@given(fleets, batches)
def test_every_step_is_legal_and_no_group_is_torn(views: list[HostView], batch: Batch) -> None:
    fleet = Fleet(views)
    decision = place_batch(fleet, batch, POLICY, now=NOW)
    placed = hosts_of(decision)
    left = {name for one in decision.left_out for name in one.vms}
    assert placed.keys() | left == {new.id for unit in batch.units() for new in unit.vms}
    assert not placed.keys() & left
    scheduler = Scheduler(fleet, POLICY)
    for new, name in decision.placed:
        assert scheduler.ranks(new.request, now=NOW)[fleet.rows[name]] >= 0
        told = decision.decisions[new.id]
        assert told.host == name
        assert name in {candidate.host for candidate in told.accepted}
        scheduler.take(new.id, name, new.request)
    for one in decision.left_out:
        assert decision.decisions[one.because].host is None
        # At the end there is no room for it either.
        settled = []
        for unit in batch.units():
            if unit.group == one.group and tuple(new.id for new in unit.vms) == one.vms:
                for new in unit.vms:
                    chosen = scheduler.choose(new.request, now=NOW)
                    if chosen is None:
                        break
                    scheduler.settle(new.id, chosen, new.request)
                    settled.append(new.id)
                else:
                    pytest.fail(f"{one.vms} would have fitted")
        for name in settled:
            fleet.remove(name)
