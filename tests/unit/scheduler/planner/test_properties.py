"""What holds for every plan of every fleet."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.board import Board
from minicloud_core.scheduler.planner.aim import Aim
from minicloud_core.scheduler.planner.consolidation import consolidate
from minicloud_core.scheduler.planner.drain import drain
from minicloud_core.scheduler.planner.evacuation import evacuate
from minicloud_core.scheduler.planner.floor import Floor
from minicloud_core.scheduler.planner.rebalance import balance_of, rebalance

from tests.unit.scheduler.planner.drawn import Situation, situations
from tests.unit.scheduler.planner.referee import NOW, homes, play

aims = st.builds(Aim, st.sampled_from([0.0, 0.01, 0.1]), st.sampled_from([0.0, 0.1]))
examples = settings(deadline=None, max_examples=40)


@examples
@given(situations(), aims)
def test_a_rebalance_is_legal_at_every_step_never_worse_and_is_done_once(situation: Situation, aim: Aim) -> None:
    fleet, policy = situation.fleet, situation.policy
    before = homes(fleet)
    plan = rebalance(fleet, policy, now=NOW, aim=aim)
    assert homes(fleet) == before
    after = play(fleet, plan, policy)
    assert balance_of(fleet, policy, now=NOW).to_mapping() == plan.before
    assert balance_of(after, policy, now=NOW).to_mapping() == plan.after
    assert plan.after["violations"] <= plan.before["violations"]
    if plan.after["violations"] == plan.before["violations"]:
        assert plan.after["score"] <= plan.before["score"]
    assert {move.vm for move in plan.moves}.isdisjoint(fixed(situation))
    again = rebalance(after, policy, now=NOW, aim=aim)
    assert again.moves == ()
    assert again.stays == plan.stays


def fixed(situation: Situation) -> set[str]:
    """VMs that no balancer may move."""
    fleet = situation.fleet
    working = {host.id for host in fleet.hosts if host.state in ("ready", "maintenance")}
    return {
        vm
        for vm in fleet.vms()
        if vm in fleet.not_running
        or fleet.request_of(vm).pinned
        or fleet.request_of(vm).host is not None
        or fleet.where(vm) not in working
    }


@examples
@given(situations(), st.integers(0, 4))
def test_a_drained_host_is_empty_or_every_vm_on_it_has_its_reasons(situation: Situation, number: int) -> None:
    fleet, policy = situation.fleet, situation.policy
    host = fleet.hosts[number % len(fleet)].id
    plan = drain(fleet, host, policy, now=NOW)
    after = play(fleet, plan, policy, closed=[host])
    left = [vm for vm in after.vms() if after.where(vm) == host]
    assert [stay.vm for stay in plan.stays] == left
    assert plan.after["vms"] == len(left)
    for stay in plan.stays:
        others = {one.id for one in fleet.hosts} - {host}
        assert stay.reason is not None or {one.host for one in stay.refused} == others
        assert stay.host == host


@examples
@given(situations(), st.integers(0, 4))
def test_a_dead_hosts_vms_are_elsewhere_or_have_their_reasons(situation: Situation, number: int) -> None:
    fleet, policy = situation.fleet, situation.policy
    host = fleet.hosts[number % len(fleet)].id
    plan = evacuate(fleet, host, policy, now=NOW)
    after = play(fleet, plan, policy, dead=host)
    assert host not in homes(after).values()
    lost = {vm for vm in fleet.vms() if fleet.where(vm) == fleet.request_of(vm).host == host}
    assert lost <= {stay.vm for stay in plan.stays if stay.reason is not None and stay.reason.rule == "requested"}
    assert plan.before["vms"] - plan.after["vms"] == sum(1 for move in plan.moves if move.source == host)


@examples
@given(situations(), st.sampled_from([Floor(), Floor(2, 0.5), Floor(0, 0, 50)]))
def test_a_consolidation_empties_hosts_and_saves_what_it_says(situation: Situation, floor: Floor) -> None:
    fleet, policy = situation.fleet, situation.policy
    plan = consolidate(fleet, policy, now=NOW, floor=floor)
    asleep = set(plan.after["asleep"])
    assert asleep >= set(plan.before["asleep"])
    emptied = asleep - set(plan.before["asleep"])
    after = play(fleet, plan, policy, closed=plan.before["asleep"])
    assert asleep.isdisjoint(homes(after).values())
    assert plan.before["watts"] - plan.after["watts"] >= floor.watts * len(emptied) - 0.2
    assert bool(plan.moves) == bool(emptied)
    assert {move.vm for move in plan.moves}.isdisjoint(fixed(situation))
    if asleep and "n_plus_one" in policy.filters:
        for host in asleep:
            after.close(host)
        assert not Board(after, policy.limits).absorption.short
    ours = [host for host in fleet.hosts if host.state == "ready" and not host.cordoned]
    if emptied:
        assert len(ours) - len(asleep) >= floor.hosts


@examples
@given(situations(), st.integers(0, 3))
def test_a_rebalance_makes_no_more_moves_than_it_may(situation: Situation, most: int) -> None:
    aim = Aim(0, 0, at_most=most)
    plan = rebalance(situation.fleet, situation.policy, now=NOW, aim=aim)
    assert len(plan.moves) <= most
    play(situation.fleet, plan, situation.policy)
    whole = rebalance(situation.fleet, situation.policy, now=NOW, aim=replace(aim, at_most=None))
    # On the way VMs may move twice, so that fewer moves than those of the whole plan are no part of it.
    assert rebalance(situation.fleet, situation.policy, now=NOW, aim=replace(aim, at_most=1000)) == whole
