"""How many VMs of a real cloud fit before the first is refused: what each policy is for, as a figure."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import POLICIES, Policy

from tests.bench import topology

pytestmark = pytest.mark.slow

FIRST_FIT = Policy("first-fit")


@cache
def placed(name: str) -> int:
    """By a shipped policy, or by the first host that fits."""
    policy = replace(POLICIES.get(name, FIRST_FIT), limits=topology.AS_FREE)
    return topology.placed_before_refusal(Scheduler(Fleet(topology.hosts()), policy), topology.requests())


def test_the_data_are_those_that_the_figures_are_of() -> None:
    hosts, requests = topology.hosts(), topology.requests()
    assert (len(hosts), len(requests)) == (1710, 9996)
    assert [host.id for host in hosts] == sorted(host.id for host in hosts)
    assert {len(host.numa) for host in hosts} == {2}
    assert hosts[0].numa[1].cpu == 32
    assert hosts[0].ram_mib == 96 * 1024
    assert {request.numa for request in requests} == {1, 2}
    assert (requests[0].cpu, requests[0].ram_mib, requests[0].numa) == (8, 16 * 1024, 1)
    assert (requests[4998].cpu, requests[4998].ram_mib, requests[4998].numa) == (32, 64 * 1024, 2)


def test_first_fit_places_what_others_have_measured() -> None:
    assert placed("first-fit") == 6272


def test_pack_places_more_than_first_fit() -> None:
    assert placed("pack") >= 6700
    assert placed("pack") > placed("first-fit")


def test_spreading_costs_room_and_turning_in_time_saves_some() -> None:
    assert placed("spread") < placed("balanced") < placed("pack")
