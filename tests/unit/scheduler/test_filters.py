"""Each hard rule by example: what it lets pass, what it refuses, and the numbers it gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
from minicloud_core.model.host import HOST_TRANSITIONS
from minicloud_core.model.reason import Reason
from minicloud_core.model.units import GIB
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import place
from minicloud_core.scheduler.policy import USUAL_FILTERS, Policy
from minicloud_core.scheduler.request import Request

HOST = HostView("node1", cpu=4, ram_mib=8192, disk_bytes=100 * GIB)
REQUEST = Request(cpu=2, ram_mib=1024, disk_bytes=10 * GIB)
LIMITS = Limits(cpu_overcommit=2.0, ram_reserved_mib=512)


def judge(name: str, host: HostView, request: Request, limits: Limits = LIMITS) -> Reason | None:
    """What one rule, by itself, says of one host."""
    decision = place(Fleet([host]), request, Policy("one", filters=(name,), limits=limits), now=0.0)
    return decision.refused[0].reasons[0] if decision.refused else None


def refuses(name: str, host: HostView = HOST, request: Request = REQUEST, limits: Limits = LIMITS) -> bool:
    reason = judge(name, host, request, limits)
    if reason is not None:
        assert reason.rule == name
        assert reason.message
    return reason is not None


@pytest.mark.parametrize("name", USUAL_FILTERS)
def test_every_rule_lets_a_plain_request_onto_an_empty_host(name: str) -> None:
    assert not refuses(name)


@pytest.mark.parametrize("state", sorted(HOST_TRANSITIONS.states))
def test_only_a_ready_host_will_do(state: str) -> None:
    assert refuses("ready", replace(HOST, state=state)) == (state != "ready")


def test_a_cordoned_host_will_not_do() -> None:
    assert refuses("cordon", replace(HOST, cordoned=True))


def test_a_host_asked_for_is_the_only_one() -> None:
    assert not refuses("requested", request=replace(REQUEST, host="node1"))
    assert refuses("requested", request=replace(REQUEST, host="node2"))


def test_an_excluded_host_will_not_do() -> None:
    assert refuses("excluded", request=replace(REQUEST, exclude=frozenset({"node1"})))
    assert not refuses("excluded", request=replace(REQUEST, exclude=frozenset({"node2"})))


@pytest.mark.parametrize(("allocated", "refused"), [(0, False), (6, False), (7, True), (8, True), (20, True)])
def test_cpus_count_with_overcommit(allocated: int, refused: bool) -> None:
    assert refuses("cpu", replace(HOST, allocated_cpu=allocated)) is refused


def test_a_hosts_own_overcommit_wins_over_the_policys() -> None:
    assert refuses("cpu", replace(HOST, cpu_overcommit=0.25))
    assert not refuses("cpu", replace(HOST, cpu_overcommit=8.0, allocated_cpu=30))


def test_a_fraction_of_a_virtual_cpu_is_none() -> None:
    # 3 threads x 1.5 are 4.5, of which only 4 can be promised.
    host = replace(HOST, cpu=3, cpu_overcommit=1.5)
    assert not refuses("cpu", host, replace(REQUEST, cpu=4))
    assert refuses("cpu", host, replace(REQUEST, cpu=5))


def test_a_refusal_for_cpus_gives_its_numbers() -> None:
    reason = judge("cpu", replace(HOST, allocated_cpu=7), REQUEST, LIMITS)
    assert reason is not None
    assert reason.message == "2 virtual CPUs wanted, 1 free of 8 (4 threads x 2)"
    assert reason.numbers == {"wanted": 2, "free": 1, "limit": 8, "threads": 4, "overcommit": 2.0}


@pytest.mark.parametrize(("allocated", "refused"), [(0, False), (6656, False), (6657, True), (9000, True)])
def test_memory_counts_less_what_the_host_keeps(allocated: int, refused: bool) -> None:
    assert refuses("memory", replace(HOST, allocated_ram_mib=allocated)) is refused


def test_a_hosts_own_reserve_wins_over_the_policys() -> None:
    assert refuses("memory", replace(HOST, ram_reserved_mib=8000))
    assert not refuses("memory", replace(HOST, ram_reserved_mib=0), replace(REQUEST, ram_mib=8192))


def test_a_reserve_larger_than_the_host_leaves_nothing() -> None:
    reason = judge("memory", replace(HOST, ram_reserved_mib=9000), replace(REQUEST, ram_mib=1), LIMITS)
    assert reason is not None
    assert reason.numbers == {"wanted_mib": 1, "free_mib": 0, "limit_mib": 0, "reserved_mib": 9000}


def test_a_refusal_for_memory_reads_well() -> None:
    reason = judge("memory", replace(HOST, allocated_ram_mib=7168), REQUEST, LIMITS)
    assert reason is not None
    assert reason.message == "1 GiB wanted, 512 MiB free of 7.5 GiB (8 GiB less 512 MiB for the host)"


@pytest.mark.parametrize(("allocated", "refused"), [(0, False), (90 * GIB, False), (90 * GIB + 1, True)])
def test_disks_count_at_their_full_size(allocated: int, refused: bool) -> None:
    assert refuses("disk", replace(HOST, allocated_disk_bytes=allocated)) is refused


def test_a_vm_without_disks_needs_no_pool() -> None:
    assert not refuses("disk", replace(HOST, disk_bytes=0), replace(REQUEST, disk_bytes=0))


NODES = (NumaNode(8, 16384), NumaNode(4, 32768))
TWO_NODES = HostView("node1", cpu=12, ram_mib=49152, numa=NODES, cpu_overcommit=1.0, ram_reserved_mib=0)


@pytest.mark.parametrize(
    ("cpu", "ram_mib", "numa", "refused"),
    [
        (8, 16384, 1, False),  # the first node, to the last bit
        (4, 32768, 1, False),  # the second
        (8, 16385, 1, True),  # no single node has both
        (9, 1024, 1, True),
        (9, 1024, 0, False),  # who does not care is counted over the host
        (8, 32768, 2, False),  # four CPUs and 16 GiB on each
        (10, 1024, 2, True),  # the second node has no five CPUs
        (3, 1024, 3, True),  # nor is there a third
    ],
)
def test_a_vm_of_several_numa_nodes_fits_node_by_node(cpu: int, ram_mib: int, numa: int, refused: bool) -> None:
    assert refuses("numa", TWO_NODES, Request(cpu, ram_mib, numa=numa)) is refused


def test_a_host_that_tells_of_no_numa_nodes_takes_none_that_asks_for_them() -> None:
    reason = judge("numa", HOST, Request(1, 1024, numa=1))
    assert reason is not None
    assert reason.message == "1 NUMA nodes with 1 virtual CPUs and 1 GiB each wanted, it tells of none"


def test_a_refusal_for_numa_shows_what_is_free_on_each_node() -> None:
    reason = judge("numa", TWO_NODES, Request(9, 1024, numa=1))
    assert reason is not None
    assert reason.message.endswith("free on its 2: 8 and 16 GiB, 4 and 32 GiB")
    assert reason.numbers["free"] == [{"cpu": 8.0, "ram_mib": 16384}, {"cpu": 4.0, "ram_mib": 32768}]
