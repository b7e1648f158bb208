"""Fleets as playbooks and files write them."""

from __future__ import annotations

import pytest
from minicloud_core.model.errors import InputError
from minicloud_core.model.units import GIB
from minicloud_core.scheduler.document import read_fleet


def test_hosts_and_vms_become_a_fleet() -> None:
    fleet = read_fleet(
        [
            {"id": "b", "cpu": 8, "ram": "16G", "disk": "100G", "load": 0.5, "labels": {"rack": "r1"}},
            {"id": "a", "cpu": 4, "ram": 2048, "cordoned": True, "ram_reserved": "1G", "cpu_overcommit": 2},
        ],
        [
            {"id": "vm1", "host": "b", "cpu": 2, "ram": "4G", "disk": "10G", "state": "stopped"},
            {"id": "vm2", "host": "b", "cpu": 1, "ram": 512},
        ],
        at=7.0,
    )
    first, second = fleet.host("a"), fleet.host("b")
    assert first is not None and second is not None
    assert (first.id, first.ram_mib, first.cordoned) == ("a", 2048, True)
    assert (first.ram_reserved_mib, first.cpu_overcommit, first.load, first.load_at) == (1024, 2.0, None, None)
    assert (second.allocated_cpu, second.allocated_ram_mib, second.allocated_disk_bytes) == (3, 4608, 10 * GIB)
    assert (second.load, second.load_at, second.labels) == (0.5, 7.0, {"rack": "r1"})


@pytest.mark.parametrize(
    ("host", "field"),
    [
        ({"cpu": 1, "ram": 1}, "hosts.0.id"),
        ({"id": "a", "ram": 1}, "hosts.0.cpu"),
        ({"id": "a", "cpu": 1}, "hosts.0.ram"),
        ({"id": "a", "cpu": -1, "ram": 1}, "hosts.0.cpu"),
        ({"id": "a", "cpu": True, "ram": 1}, "hosts.0.cpu"),
        ({"id": "a", "cpu": 1, "ram": "lots"}, "hosts.0.ram"),
        ({"id": "a", "cpu": 1, "ram": 1, "disk": "-1G"}, "hosts.0.disk"),
        ({"id": "a", "cpu": 1, "ram": 1, "state": "asleep"}, "hosts.0.state"),
        ({"id": "a", "cpu": 1, "ram": 1, "load": 1.5}, "hosts.0.load"),
        ({"id": "a", "cpu": 1, "ram": 1, "cpu_overcommit": 0}, "hosts.0.cpu_overcommit"),
        ({"id": "a", "cpu": 1, "ram": 1, "ram_reserved": "x"}, "hosts.0.ram_reserved"),
        ({"id": "a", "cpu": 1, "ram": 1, "labels": ["x"]}, "hosts.0.labels"),
        ({"id": "a", "cpu": 1, "ram": 1, "colour": "red"}, "hosts.0.colour"),
    ],
)
def test_a_wrong_field_of_a_host_is_named(host: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        read_fleet([host], at=0)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        read_fleet(
            [{"id": "a", "cpu": 1, "ram": 1}, {"id": "a", "cpu": 1, "ram": 1}],
            [{"host": "b", "cpu": 1, "ram": 1}, {"host": "a", "cpu": 1, "ram": "?"}, {"host": "a", "nics": 1}],
            at=0,
        )
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["hosts.1.id", "vms.0.host", "vms.1.ram", "vms.2.nics", "vms.2.cpu", "vms.2.ram"]


def test_a_vm_on_a_host_that_is_itself_wrong_is_not_blamed() -> None:
    with pytest.raises(InputError) as caught:
        read_fleet([{"id": "a", "cpu": 0.5, "ram": 1}], [{"host": "a", "cpu": 1, "ram": 1}], at=0)
    assert [problem.field for problem in caught.value.problems] == ["hosts.0.cpu"]
