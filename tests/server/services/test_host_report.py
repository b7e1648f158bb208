"""What hosts tell of themselves, used where VMs are placed."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud.services import standing_fleet
from minicloud.services.snapshot import host_view
from minicloud.services.view.observation import Measurements, NumaObservation
from minicloud.store import host as hosts
from minicloud_core.model.errors import NoCapacityError
from minicloud_core.model.units import GIB
from minicloud_core.scheduler.host import HostView, NumaNode, Pool

from tests.server.world import World


def seen(world: World, name: str) -> HostView:
    with world.ctx.read() as session:
        row = hosts.find(session, name)
        assert row is not None
        return host_view(row)


def test_a_host_that_reports_shows_it_to_the_scheduler(world: World) -> None:
    world.host("node1", bandwidth_mbps=1000)
    world.observe(
        "node1",
        pools={"default": 100 * GIB, "fast": 10 * GIB},
        numa=(NumaObservation(0, 2, 4096, 1024), NumaObservation(8, 2, 4000)),
        machines=("pc", "q35"),
        images=("tiny",),
        load=0.1,
        measured=Measurements(memory=0.5, pressure=0.25, network_mbps=600.0, io_latency_ms=3.0),
    )
    view = seen(world, "node1")
    assert (view.disk_bytes, view.pools) == (GIB * 100, {"fast": Pool(10 * GIB)})
    assert (view.numa, view.huge_pages_mib) == ((NumaNode(2, 4096, 1024), NumaNode(2, 4000)), 1024)
    assert (view.machines, view.images) == (frozenset({"pc", "q35"}), frozenset({"tiny"}))
    measured = (view.load, view.load_memory, view.load_pressure, view.load_network, view.load_disk, view.io_latency_ms)
    assert measured == (0.1, 0.5, 0.25, 0.6, None, 3.0)
    assert view.load_at == world.clock.now().timestamp()


def test_without_a_bandwidth_no_share_of_it_is_known(world: World) -> None:
    world.host("node1")
    world.observe("node1", load=0.1, measured=Measurements(network_mbps=600.0))
    assert seen(world, "node1").load_network is None


def test_a_host_that_does_not_report_takes_vms_as_ever(world: World) -> None:
    world.host("node1", disk=10 * GIB)
    view = seen(world, "node1")
    assert (view.pools, view.numa, view.machines, view.images, view.load_memory) == (
        {},
        (),
        frozenset(),
        frozenset(),
        None,
    )
    assert world.create("web01", disks=["8G"]).vm.host == "node1"


def test_disks_that_name_a_pool_take_room_there_alone(world: World) -> None:
    world.fleet("node1", "node2", disk=10 * GIB)
    world.observe("node2", pools={"default": 10 * GIB, "fast": 10 * GIB})
    fast: dict[str, Any] = {"disks": [{"size": "9G"}, {"size": "6G", "pool": "fast"}]}
    assert world.create("db1", **fast).vm.host == "node2"
    with pytest.raises(NoCapacityError) as caught:
        world.create("db2", disks=[{"size": "6G", "pool": "fast"}])
    reasons = caught.value.details["hosts"]
    assert [reason["message"] for reason in reasons["node1"]] == ["6 GiB of pool fast wanted, it has no such pool"]
    assert [reason["message"] for reason in reasons["node2"]] == ["6 GiB of pool fast wanted, 4 GiB free of 10 GiB"]
    assert world.create("db3", disks=[{"size": "4G", "pool": "fast"}, "1G"]).vm.host == "node2"


def test_room_in_a_pool_is_free_again_once_its_vm_is_gone(world: World) -> None:
    world.host("node1")
    world.observe("node1", pools={"default": GIB, "fast": GIB})
    whole = {"disks": [{"size": "1G", "pool": "fast"}]}
    world.running("db1", **whole)
    with pytest.raises(NoCapacityError):
        world.create("db2", **whole)
    world.change("db1", "delete")
    world.carry_out("absent")
    assert world.create("db2", **whole).vm.host == "node1"


def test_what_is_measured_reaches_the_fleet_that_is_kept_though_no_generation_moved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing_fleet, "_MEASURE_EVERY", 0.0)
    monkeypatch.setattr(standing_fleet, "_MEASURE_SHARE", float("inf"))
    world.host("node1", bandwidth_mbps=1000)

    def kept() -> HostView:
        with world.ctx.fleet.lent() as fleet, world.ctx.read() as session:
            scheduler = fleet.scheduler(session, world.ctx.policy.current(), world.clock.now())
            return scheduler.fleet.hosts[0]

    before = kept()
    measured = Measurements(memory=0.5, network_mbps=500.0, io_latency_ms=3.0)
    world.observe("node1", load=0.25, measured=measured, images=("tiny",))
    after = kept()
    assert after == seen(world, "node1")
    assert (after.load_memory, after.load_network, after.io_latency_ms) == (0.5, 0.5, 3.0)
    assert (after.images, after.generation) == (frozenset({"tiny"}), before.generation)
