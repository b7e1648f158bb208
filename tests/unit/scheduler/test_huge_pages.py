"""VMs whose memory is huge pages: room of its own, which nobody else takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler.test_filters import judge, refuses

HOST = HostView("a", 8, 16384, huge_pages_mib=8192)
LIMITS = Limits(cpu_overcommit=4.0, ram_reserved_mib=1024)
POLICY = Policy("plain", limits=LIMITS, weights={"free_memory": 1.0})


def huge(ram_mib: int, numa: int = 0) -> Request:
    return Request(1, ram_mib, numa=numa, huge_pages=True)


@pytest.mark.parametrize(
    ("request_", "refused"),
    [
        (huge(8192), False),
        (huge(8193), True),  # there is more memory, but not in huge pages
        (Request(1, 7168), False),
        (Request(1, 7169), True),  # what is set aside is not theirs
    ],
)
def test_each_has_its_own(request_: Request, refused: bool) -> None:
    assert refuses("memory", HOST, request_, LIMITS) is refused


def test_neither_takes_from_the_other() -> None:
    scheduler = Scheduler(Fleet([HOST]), POLICY)
    scheduler.take("vm-1", "a", huge(6144))
    assert scheduler.fleet.host("a") == replace(
        HOST, allocated_cpu=1, allocated_ram_mib=6144, allocated_huge_pages_mib=6144
    )
    assert scheduler.choose(Request(1, 7168), now=0.0) == "a"
    assert scheduler.choose(huge(2048), now=0.0) == "a"
    assert scheduler.choose(huge(2049), now=0.0) is None
    scheduler.take("vm-2", "a", Request(1, 7168))
    assert scheduler.choose(Request(1, 1), now=0.0) is None
    assert scheduler.choose(huge(2048), now=0.0) == "a"
    scheduler.fleet.remove("vm-1")
    scheduler.fleet.remove("vm-2")
    assert scheduler.fleet.host("a") == HOST


def test_refusals_tell_which_memory_is_meant() -> None:
    used = replace(HOST, allocated_ram_mib=7168, allocated_huge_pages_mib=6144)
    reason = judge("memory", used, huge(4096), LIMITS)
    assert reason is not None
    assert reason.message == "4 GiB in huge pages wanted, 2 GiB free of 8 GiB"
    assert reason.numbers == {"wanted_mib": 4096, "free_mib": 2048, "limit_mib": 8192}
    reason = judge("memory", used, Request(1, 8192), LIMITS)
    assert reason is not None
    assert (
        reason.message == "8 GiB wanted, 6 GiB free of 7 GiB (16 GiB less 1 GiB for the host and 8 GiB in huge pages)"
    )
    assert reason.numbers["huge_pages_mib"] == 8192


def test_the_share_that_is_left_is_of_the_kind_that_is_wanted() -> None:
    def left(request: Request) -> float:
        return place(Fleet([HOST]), request, POLICY, now=0.0).accepted[0].parts[0].value

    assert left(huge(2048)) == pytest.approx(0.75)
    assert left(Request(1, 3584)) == pytest.approx(0.5)


def test_less_is_offered_of_the_kind_that_is_wanted() -> None:
    remedies = place(Fleet([HOST]), huge(9216), POLICY, now=0.0).remedies
    assert [remedy.text for remedy in remedies] == ["1 GiB less memory"]
    remedies = place(Fleet([replace(HOST, huge_pages_mib=1024)]), huge(2048), POLICY, now=0.0).remedies
    assert [remedy.text for remedy in remedies] == ["1 GiB less memory", "without huge pages"]


def test_huge_pages_are_found_node_by_node() -> None:
    nodes = replace(HOST, numa=(NumaNode(4, 8192, 6144), NumaNode(4, 8192, 2048)))
    scheduler = Scheduler(Fleet([nodes]), POLICY)
    assert scheduler.choose(huge(6144, numa=1), now=0.0) == "a"
    assert scheduler.choose(huge(6145, numa=1), now=0.0) is None
    assert scheduler.choose(huge(4096, numa=2), now=0.0) == "a"
    assert scheduler.choose(huge(4097, numa=2), now=0.0) is None
    scheduler.take("vm-1", "a", huge(4096, numa=1))
    assert scheduler.fleet.node_huge_used.tolist() == [[4096, 0]]
    assert scheduler.choose(huge(4096, numa=2), now=0.0) == "a"
    assert scheduler.choose(huge(2049, numa=1), now=0.0) is None
    # What is not set aside is 2 GiB on the first node, and 6 GiB on the second.
    assert scheduler.choose(Request(1, 6144, numa=1), now=0.0) == "a"
    assert scheduler.choose(Request(1, 4097, numa=2), now=0.0) is None


NODES = [{"cpu": 4, "ram": "8G", "huge_pages": "2G"}, {"cpu": 4, "ram": "8G"}]


def test_a_host_has_the_huge_pages_of_its_nodes() -> None:
    host = {"id": "a", "cpu": 8, "ram": "16G", "numa": NODES}
    for written in (host, {**host, "huge_pages": "2G"}):
        read = read_fleet([written], at=0).hosts[0]
        assert (read.huge_pages_mib, read.numa) == (2048, (NumaNode(4, 8192, 2048), NumaNode(4, 8192)))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"numa": NODES, "huge_pages": "3G"}, "hosts.0.huge_pages"),
        ({"huge_pages": "17G"}, "hosts.0.huge_pages"),
        ({"numa": [{"cpu": 4, "ram": "1G", "huge_pages": "2G"}]}, "hosts.0.numa.0.huge_pages"),
    ],
)
def test_huge_pages_that_contradict_themselves_are_refused(change: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        read_fleet([{"id": "a", "cpu": 8, "ram": "16G", **change}], at=0)
    assert [problem.field for problem in caught.value.problems] == [field]
