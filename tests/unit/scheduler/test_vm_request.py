"""From a VM's spec to what the scheduler is asked."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud_core.model.errors import InputError
from minicloud_core.model.scheduling import read_scheduling
from minicloud_core.model.vm import parse_spec
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread
from minicloud_core.scheduler.vm_request import request_of, with_scheduling

ASKED = {
    "host_labels": {"disk": "nvme"},
    "group": "db",
    "affinity": ["vm:cache", "tier=web"],
    "anti_affinity": ["group:db", "vm:vm-7"],
    "prefer_with": ["vm:gone"],
    "prefer_apart": ["noisy=yes"],
    "spread": ["host", {"by": "rack", "at_most": 2, "label": "tier"}],
    "priority": 10,
    "pinned": True,
    "cpu_features": ["avx2"],
    "bandwidth_mbps": 100,
}


def test_everything_that_a_spec_asks_is_asked() -> None:
    spec = parse_spec(
        {"name": "a", "cpu": 2, "ram": "4G", "labels": {"tier": "db"}, "host": "node1", "scheduling": ASKED}
    )
    request = request_of(
        spec, project="shop", disk_bytes=5, architecture="x86_64", ids={"cache": "vm-3", "vm-7": "vm-7"}
    )
    assert request == Request(
        cpu=2,
        ram_mib=4096,
        disk_bytes=5,
        host="node1",
        labels={"tier": "db"},
        project="shop",
        architecture="x86_64",
        networks=frozenset({"default"}),
        image="tiny",
        host_labels={"disk": "nvme"},
        group="db",
        affinity=("vm:vm-3", "tier=web"),
        anti_affinity=("group:db", "vm:vm-7"),
        prefer_with=(),
        prefer_apart=("noisy=yes",),
        spread=(Spread("host", 1), Spread("rack", 2, "tier")),
        priority=10,
        pinned=True,
        cpu_features=frozenset({"avx2"}),
        bandwidth_mbps=100,
    )


def test_every_field_of_it_reaches_the_scheduler() -> None:
    """One that was added to the spec and not to the mapping would be promised and not kept."""
    plain = Request(1, 512, labels={"tier": "db"})
    ids = {"cache": "vm-3", "vm-7": "vm-7", "gone": "vm-9"}
    for field, value in ASKED.items():
        body = {field: value, "group": "x"} if field == "spread" else {field: value}
        assert with_scheduling(plain, read_scheduling(body), ids) != plain, field


def test_disks_count_as_the_spec_names_them() -> None:
    assert request_of(parse_spec({"name": "a", "disks": [1, "1M"]}), project="default").disk_bytes == (1 << 30) + (
        1 << 20
    )


def test_a_vm_that_is_named_twice_is_asked_about_once() -> None:
    asked = read_scheduling({"affinity": ["vm:cache", "vm:vm-3"]})
    assert with_scheduling(Request(1, 1), asked, {"cache": "vm-3", "vm-3": "vm-3"}).affinity == ("vm:vm-3",)


def test_who_asks_for_nothing_gets_the_same_request() -> None:
    request = Request(1, 512)
    assert with_scheduling(request, read_scheduling({}), {}) is request


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"affinity": ["tier=a", "group:db"], "anti_affinity": ["group:db"]}, "scheduling.anti_affinity"),
        ({"affinity": ["vm:cache"], "prefer_apart": ["vm:vm-3"]}, "scheduling.prefer_apart"),
        ({"group": "db", "affinity": ["group:db"], "spread": ["rack"]}, "scheduling.spread.0"),
        ({"spread": ["rack"]}, "scheduling.spread.0"),
        ({"group": "db", "spread": ["host", {"by": "rack", "label": "role"}]}, "scheduling.spread.1.label"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_path(asked: dict[str, Any], field: str) -> None:
    spec = parse_spec({"name": "a", "labels": {"tier": "db"}, "scheduling": asked})
    with pytest.raises(InputError) as caught:
        request_of(spec, project="default", ids={"cache": "vm-3", "vm-3": "vm-3"})
    assert [problem.field for problem in caught.value.problems] == [field]
