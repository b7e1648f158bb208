"""VMs whose virtual CPUs have threads of their own, beside others that share theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler.test_filters import judge, refuses

HOST = HostView("a", 8, 65536)
FOUR = Limits(cpu_overcommit=4.0, ram_reserved_mib=0)
POLICY = Policy("plain", limits=FOUR, weights={"free_cpu": 1.0})


def pinned(cpu: float, numa: int = 0) -> Request:
    return Request(cpu, 512, numa=numa, pinned=True)


@pytest.mark.parametrize(
    ("shared", "threads", "cpu", "refused"),
    [
        (0, 0, 8, False),  # every thread
        (0, 0, 9, True),  # there is no ninth, whatever the overcommit
        (16, 0, 4, False),  # sixteen virtual CPUs share four threads
        (17, 0, 4, True),  # and seventeen five
        (0, 6, 2, False),
        (0, 6, 3, True),
        (4, 6, 1, False),
        (5, 6, 1, True),
    ],
)
def test_a_pinned_vm_has_a_thread_for_each_virtual_cpu(shared: int, threads: int, cpu: int, refused: bool) -> None:
    host = replace(HOST, allocated_cpu=shared + threads, allocated_pinned_cpu=threads)
    assert refuses("cpu", host, pinned(cpu), FOUR) is refused


@pytest.mark.parametrize(("threads", "cpu", "refused"), [(0, 32, False), (2, 24, False), (2, 25, True), (8, 1, True)])
def test_others_share_the_threads_that_are_left(threads: int, cpu: int, refused: bool) -> None:
    host = replace(HOST, allocated_cpu=threads, allocated_pinned_cpu=threads)
    assert refuses("cpu", host, Request(cpu, 512), FOUR) is refused


def test_where_threads_are_not_even_promised_once_a_pinned_one_counts_once() -> None:
    half = replace(HOST, cpu_overcommit=0.5)
    assert not refuses("cpu", half, pinned(4))
    assert refuses("cpu", half, pinned(5))
    assert not refuses("cpu", replace(half, allocated_cpu=3, allocated_pinned_cpu=3), Request(1, 512))
    assert refuses("cpu", replace(half, allocated_cpu=3, allocated_pinned_cpu=3), Request(2, 512))


def test_a_refusal_tells_of_threads() -> None:
    reason = judge("cpu", replace(HOST, allocated_cpu=12, allocated_pinned_cpu=2), pinned(4), FOUR)
    assert reason is not None
    assert reason.message == (
        "4 threads of its own wanted, 3.5 free of 8 (2 pinned, 10 virtual CPUs share the rest, 4 on each)"
    )
    assert reason.numbers == {"wanted": 4, "free": 3.5, "threads": 8, "pinned": 2, "shared": 10, "overcommit": 4.0}


def test_fewer_threads_are_offered_where_there_are_too_few() -> None:
    host = replace(HOST, allocated_cpu=12, allocated_pinned_cpu=2)
    remedies = place(Fleet([host]), pinned(4), POLICY, now=0.0).remedies
    assert [remedy.text for remedy in remedies] == ["1 virtual CPU fewer", "without threads of its own"]


def test_threads_come_free_when_a_pinned_vm_goes() -> None:
    scheduler = Scheduler(Fleet([HOST]), POLICY)
    assert scheduler.choose(Request(32, 512), now=0.0) == "a"
    scheduler.take("vm-1", "a", pinned(7))
    assert scheduler.choose(Request(5, 512), now=0.0) is None
    assert scheduler.choose(Request(4, 512), now=0.0) == "a"
    assert scheduler.fleet.host("a") == replace(HOST, allocated_cpu=7, allocated_pinned_cpu=7, allocated_ram_mib=512)
    scheduler.fleet.remove("vm-1")
    assert scheduler.choose(Request(32, 512), now=0.0) == "a"
    assert scheduler.fleet.host("a") == HOST


def test_a_pinned_vm_finds_its_threads_node_by_node() -> None:
    nodes = replace(HOST, numa=(NumaNode(4, 32768), NumaNode(4, 32768)))
    scheduler = Scheduler(Fleet([nodes]), POLICY)
    scheduler.take("vm-1", "a", pinned(3, numa=1))
    assert scheduler.choose(pinned(5, numa=1), now=0.0) is None
    assert scheduler.choose(pinned(2, numa=2), now=0.0) == "a"
    assert scheduler.choose(pinned(4, numa=2), now=0.0) is None
    # One thread of the first node is left, on which four may share.
    assert scheduler.choose(Request(8, 512, numa=2), now=0.0) == "a"
    assert scheduler.choose(Request(10, 512, numa=2), now=0.0) is None
    reason = place(scheduler.fleet, pinned(4, numa=2), POLICY, now=0.0).refused[0].reasons[0]
    assert reason.message.startswith("2 NUMA nodes with 2 threads of its own and 256 MiB each wanted, free on its 2: 1")


@given(
    st.integers(1, 16),
    st.sampled_from([0.7, 1.0, 1.15, 2.0, 4.0]),
    st.lists(st.tuples(st.sampled_from([0.5, 1, 2, 3]), st.booleans()), max_size=30),
)
def test_there_are_always_threads_enough(threads: int, overcommit: float, wanted: list[tuple[float, bool]]) -> None:
    scheduler = Scheduler(Fleet([HostView("a", threads, 65536, cpu_overcommit=overcommit)]), POLICY)
    alone = shared = 0.0
    for number, (cpu, own) in enumerate(wanted):
        request = Request(cpu, 64, pinned=own)
        if scheduler.choose(request, now=0.0) is not None:
            scheduler.take(f"vm-{number}", "a", request)
            alone, shared = alone + cpu * own, shared + cpu * (not own)
    assert alone <= threads
    assert shared <= (threads - alone) * overcommit + 1e-9
