"""Fleets as playbooks and files write them."""

from __future__ import annotations

import pytest
from minicloud_core.model.errors import InputError
from minicloud_core.model.units import GIB
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.host import NumaNode, Pool, Power
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import PACK, Policy
from minicloud_core.scheduler.request import Request

from tests.server.simulation.documents import BAD_HOSTS, BAD_VMS, BEYOND_SCHEMAS, HOST, VM


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


def test_a_vm_is_held_to_the_host_that_it_asked_for_by_name_alone() -> None:
    hosts = [{"id": name, "cpu": 4, "ram": "4G", "numa": [{"cpu": 4, "ram": "4G"}]} for name in "ab"]
    vms: list[dict[str, object]] = [
        {"id": "free", "host": "a"},
        {"id": "held", "host": "a", "host_pin": "a", "numa": 1},
        {"id": "moved", "host": "a", "host_pin": "b"},
        {"id": "gone", "host": "a", "host_pin": "c"},
    ]
    fleet = read_fleet(hosts, [{"cpu": 1, "ram": 512, **vm} for vm in vms], at=0, ids=True)
    assert {vm: fleet.where(vm) for vm in fleet.vms()} == dict.fromkeys(("free", "held", "moved", "gone"), "a")
    held = {vm: fleet.request_of(vm).host for vm in fleet.vms()}
    assert held == {"free": None, "held": "a", "moved": "b", "gone": "c"}


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


@pytest.mark.parametrize(("host", "field"), BAD_HOSTS)
def test_each_wrong_field_of_a_host_is_named_by_its_path(host: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        read_fleet([HOST, {**HOST, "id": "b", **host}], at=0)
    assert [problem.field for problem in caught.value.problems] == [f"hosts.1.{field}"]


@pytest.mark.parametrize(("vm", "field"), [*BAD_VMS, *BEYOND_SCHEMAS])
def test_each_wrong_field_of_a_vm_is_named_by_its_path(vm: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        read_fleet([HOST], [{**VM, "id": "first"}, {**VM, **vm}], at=0, ids=True)
    assert [problem.field for problem in caught.value.problems] == [f"vms.1.{field}"]


@pytest.mark.parametrize("item", [None, 3, "a", ["a"]])
def test_what_is_no_mapping_is_neither_a_host_nor_a_vm(item: object) -> None:
    with pytest.raises(InputError) as caught:
        read_fleet([HOST, item], [item], at=0)  # type: ignore[list-item]
    assert [problem.field for problem in caught.value.problems] == ["hosts.1", "vms.0"]


def test_ids_are_there_once_and_may_be_left_out_where_nobody_asks_for_them() -> None:
    unnamed = {key: value for key, value in VM.items() if key != "id"}
    fleet = read_fleet([HOST], [VM, unnamed], at=0)
    assert (fleet.where("v"), fleet.where("vms.1")) == ("a", "a")
    with pytest.raises(InputError) as caught:
        read_fleet([HOST], [VM, unnamed, VM], at=0, ids=True)
    assert [problem.field for problem in caught.value.problems] == ["vms.1.id", "vms.2.id"]


def test_load_is_a_number_or_a_mapping_with_it() -> None:
    hosts = [{**HOST, "id": "a", "load": 0.25}, {**HOST, "id": "b", "load": {"cpu": 0.5}}, {**HOST, "id": "c"}]
    fleet = read_fleet([*hosts, {**HOST, "id": "d", "load": {}}], at=3.0)
    assert [(host.load, host.load_at) for host in fleet.hosts] == [(0.25, 3.0), (0.5, 3.0), (None, None), (None, None)]


def test_what_a_host_is_and_has_is_read() -> None:
    written = {
        **HOST,
        "load": {"cpu": 0.5, "memory": 0.25, "pressure": 0.1, "io_latency_ms": 4, "at": 90},
        "power": {"idle_w": 80, "max_w": 240},
        "pools": {"ssd": "1G", "hdd": 2048},
        "cpu_features": ["aes"],
        "networks": [],
        "dedicated": ["shop"],
        "failures": [10, 20.5],
    }
    host = read_fleet([written], at=3.0).hosts[0]
    assert (host.load, host.load_memory, host.load_disk, host.load_pressure) == (0.5, 0.25, None, 0.1)
    assert (host.io_latency_ms, host.load_at, host.failures) == (4.0, 90.0, (10.0, 20.5))
    assert (host.power, host.pools) == (Power(80, 240), {"ssd": Pool(GIB), "hdd": Pool(2 * GIB)})
    assert (host.cpu_features, host.networks, host.reachable_images) == (frozenset({"aes"}), frozenset(), None)
    assert host.dedicated == frozenset({"shop"})


def test_a_host_draws_no_less_at_full_load_than_idle() -> None:
    with pytest.raises(InputError, match="5 W at full load is less than 90 W idle") as caught:
        read_fleet([{**HOST, "power": {"idle_w": 90, "max_w": 5}}], at=0)
    assert [problem.field for problem in caught.value.problems] == ["hosts.0.power.max_w"]


def test_fractions_of_a_cpu_add_up() -> None:
    tenths = [{**VM, "id": f"v{number}", "cpu": 0.1, "ram": 1} for number in range(39)]
    fleet = read_fleet([{**HOST, "cpu": 4, "cpu_overcommit": 1}], tenths, at=0)
    scheduler = Scheduler(fleet, PACK)
    assert scheduler.choose(Request(0.1, 1), now=0) == "a"
    scheduler.take("last", "a", Request(0.1, 1))
    assert scheduler.choose(Request(0.1, 1), now=0) is None


NUMA_HOST = {**HOST, "numa": [{"cpu": 4, "ram": "8G"}, {"cpu": 4, "ram": "8G"}], "cpu_overcommit": 1}


def test_vms_of_so_many_nodes_lie_on_nodes_the_largest_first() -> None:
    # By the order of the file, the two small ones would take a part of each node, and the large one find none.
    small = [{**VM, "id": f"s{number}", "cpu": 2, "ram": "4G", "numa": 1} for number in range(2)]
    fleet = read_fleet([NUMA_HOST], [*small, {**VM, "id": "large", "cpu": 4, "ram": "8G", "numa": 1}], at=0)
    assert fleet.hosts[0].numa == (NumaNode(4, 8192), NumaNode(4, 8192))
    assert sorted(fleet.node_ram_used[0].tolist()) == [8192, 8192]
    assert Scheduler(fleet, PACK).choose(Request(1, 1, numa=1), now=0) is None


def test_a_vm_that_finds_no_nodes_where_it_is_said_to_be_is_named() -> None:
    vms = [{**VM, "id": f"v{number}", "cpu": 3, "ram": "2G", "numa": 1} for number in range(3)]
    with pytest.raises(InputError) as caught:
        read_fleet([NUMA_HOST], vms, at=0)
    assert [(problem.field, problem.message) for problem in caught.value.problems] == [
        ("vms.2.numa", "too few NUMA nodes of a have room for a part of it, 1 wanted")
    ]
    generous = Policy("generous", limits=Limits(cpu_overcommit=2.0))
    host = {key: value for key, value in NUMA_HOST.items() if key != "cpu_overcommit"}
    assert read_fleet([host], vms, at=0, policy=generous).where("v2") == "a"


def test_a_vm_that_says_on_which_nodes_it_lies_is_there_and_others_are_dealt_what_is_left() -> None:
    hosts = [{"id": "a", "cpu": 8, "ram": "16G", "numa": [{"cpu": 4, "ram": "8G"}, {"cpu": 4, "ram": "8G"}]}]
    vms = [
        {"id": "dealt", "host": "a", "cpu": 4, "ram": "8G", "numa": 1},
        {"id": "told", "host": "a", "cpu": 1, "ram": "1G", "numa": 1, "nodes": [0]},
    ]
    fleet = read_fleet(hosts, vms, at=0)
    assert (fleet.nodes_of("told"), fleet.nodes_of("dealt")) == ((0,), (1,))
    vms[1] |= {"nodes": [2]}
    with pytest.raises(InputError) as caught:
        read_fleet(hosts, vms, at=0)
    assert [(problem.field, problem.message) for problem in caught.value.problems] == [
        ("vms.1.nodes", "a has 2 NUMA nodes, counted from 0")
    ]
    vms[1] |= {"nodes": [0, 1]}
    with pytest.raises(InputError) as caught:
        read_fleet(hosts, vms, at=0)
    assert [problem.field for problem in caught.value.problems] == ["vms.1.nodes"]


def test_a_vm_lies_on_nodes_of_a_host_that_takes_no_more() -> None:
    fleet = read_fleet([{**NUMA_HOST, "cordoned": True}], [{**VM, "numa": 2, "cpu": 2, "ram": "2G"}], at=0)
    assert fleet.node_ram_used[0].tolist() == [1024, 1024]


def test_what_is_there_is_not_what_is_asked_for() -> None:
    empty = read_fleet([NUMA_HOST], at=0)
    held = read_fleet([NUMA_HOST], [{**VM, "id": f"v{n}", "cpu": 0, "ram": 1, "numa": 1} for n in range(200)], at=0)
    assert held.mix.shares == empty.mix.shares
