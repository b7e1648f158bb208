"""What holds for every fleet and every request."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.model.host import HOST_TRANSITIONS
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import BALANCED, Policy
from minicloud_core.scheduler.request import Request

NOW = 1_000_000.0
NAMES = [f"node{number}" for number in range(8)]

states = st.one_of(st.just("ready"), st.sampled_from(sorted(HOST_TRANSITIONS.states)))
hosts = st.builds(
    HostView,
    id=st.sampled_from(NAMES),
    cpu=st.integers(0, 16),
    ram_mib=st.integers(0, 8192),
    disk_bytes=st.integers(0, 1000),
    state=states,
    cordoned=st.sampled_from([False, False, False, True]),
    allocated_cpu=st.integers(0, 20),
    allocated_ram_mib=st.integers(0, 9000),
    allocated_disk_bytes=st.integers(0, 1200),
    cpu_overcommit=st.none() | st.floats(0.1, 8.0),
    ram_reserved_mib=st.none() | st.integers(0, 4096),
    load=st.none() | st.floats(0, 1),
    load_at=st.none() | st.floats(NOW - 300, NOW),
)
fleets = st.lists(hosts, max_size=len(NAMES), unique_by=lambda host: host.id)
requests = st.builds(
    Request,
    cpu=st.integers(1, 24),
    ram_mib=st.integers(1, 8192),
    disk_bytes=st.integers(0, 1000),
    host=st.none() | st.sampled_from(NAMES),
    exclude=st.frozensets(st.sampled_from(NAMES), max_size=3),
)
policies = st.builds(
    lambda cpu, ram: Policy("drawn", weights=dict(BALANCED.weights), limits=Limits(cpu, ram)),
    st.floats(0.5, 8.0),
    st.integers(0, 2048),
)


def fits(host: HostView, request: Request, policy: Policy) -> bool:
    """The rules once more, in the plainest words there are."""
    overcommit = policy.limits.cpu_overcommit if host.cpu_overcommit is None else host.cpu_overcommit
    reserved = policy.limits.ram_reserved_mib if host.ram_reserved_mib is None else host.ram_reserved_mib
    if host.state != "ready" or host.cordoned:
        return False
    if request.host is not None and request.host != host.id:
        return False
    if host.id in request.exclude:
        return False
    if host.allocated_cpu + request.cpu > host.cpu * overcommit:
        return False
    if host.allocated_ram_mib + request.ram_mib + reserved > host.ram_mib:
        return False
    return request.disk_bytes == 0 or host.allocated_disk_bytes + request.disk_bytes <= host.disk_bytes


@given(fleets, requests, policies)
def test_exactly_the_hosts_that_fit_are_accepted(fleet: list[HostView], request: Request, policy: Policy) -> None:
    decision = place(Fleet(fleet), request, policy, now=NOW)
    fitting = {host.id for host in fleet if fits(host, request, policy)}
    assert {candidate.host for candidate in decision.accepted} == fitting
    assert {refusal.host for refusal in decision.refused} == {host.id for host in fleet} - fitting
    assert (decision.host in fitting) if fitting else (decision.host is None)
    assert all(refusal.reasons for refusal in decision.refused)


@given(fleets, requests, policies)
def test_the_best_score_is_chosen_and_scores_are_shares(
    fleet: list[HostView], request: Request, policy: Policy
) -> None:
    decision = place(Fleet(fleet), request, policy, now=NOW)
    ranks = [(-candidate.score, candidate.host) for candidate in decision.accepted]
    assert ranks == sorted(ranks)
    assert all(0 <= candidate.score <= 1 for candidate in decision.accepted)
    assert all(0 <= part.value <= 1 for candidate in decision.accepted for part in candidate.parts)


@given(fleets, requests, policies, st.randoms(use_true_random=False))
def test_the_order_of_the_fleet_does_not_matter(
    fleet: list[HostView], request: Request, policy: Policy, dice: random.Random
) -> None:
    shuffled = list(fleet)
    dice.shuffle(shuffled)
    assert place(Fleet(fleet), request, policy, now=NOW) == place(Fleet(shuffled), request, policy, now=NOW)


@given(fleets, hosts, requests, policies)
def test_another_host_never_makes_a_feasible_request_infeasible(
    fleet: list[HostView], another: HostView, request: Request, policy: Policy
) -> None:
    before = place(Fleet(fleet), request, policy, now=NOW)
    after = place(Fleet([*fleet, replace(another, id="node9")]), request, policy, now=NOW)
    kept = [candidate for candidate in after.accepted if candidate.host != "node9"]
    assert kept == list(before.accepted)
    if before.host is not None:
        assert after.host in (before.host, "node9")


@given(fleets, st.lists(requests, max_size=12), policies)
def test_placing_one_after_another_never_fills_a_host_over_its_limits(
    fleet: list[HostView], wanted: list[Request], policy: Policy
) -> None:
    empty = [replace(host, allocated_cpu=0, allocated_ram_mib=0, allocated_disk_bytes=0) for host in fleet]
    scheduler = Scheduler(Fleet(empty), policy)
    for number, request in enumerate(wanted):
        chosen = scheduler.choose(request, now=NOW)
        if chosen is not None:
            scheduler.take(f"vm-{number}", chosen, request)
    nothing = Request(cpu=0, ram_mib=0)
    there = [host for host in map(scheduler.fleet.host, scheduler.fleet.rows) if host is not None]
    used = [host for host in there if host.allocated_cpu]
    assert all(fits(host, nothing, policy) and host.allocated_disk_bytes <= host.disk_bytes for host in used)
