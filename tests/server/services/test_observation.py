"""Observations: hosts come and go by their table, VMs follow what their host shows."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud.services import event, host, observation, operation
from minicloud.services.view.observation import DomainObservation, Measurements, NumaObservation
from minicloud.services.view.operation import Outcome
from minicloud_core.model.units import GIB

from tests.server.world import ADMIN, START, World

FENCE = {"agent": "fence_lab", "options": {"password": "geheim"}}


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2", fence=FENCE)
    return world


def other(name: str | None) -> str:
    return "node2" if name == "node1" else "node1"


def fence(world: World, name: str) -> None:
    """A host falls silent and its power is cut."""
    observation.record_silence(world.ctx, name, "no route")
    host.fence(world.ctx, ADMIN, name)
    claim = next(claim for claim in world.claim() if claim.kind == "host.fence")
    operation.finish(world.ctx, world.start(claim), Outcome.succeeded({"state": "off"}))
    world.clock.advance(1)


def test_a_registered_host_is_ready_once_it_was_seen(world: World) -> None:
    host.register(world.ctx, ADMIN, host.HostSpec("node1", "10.77.0.11"))
    assert world.get_host("node1").state == "registering"
    assert world.observe("node1", cpu=8, ram_mib=16384, accelerator="kvm", load=0.25)
    view = world.get_host("node1")
    assert (view.state, view.capacity.cpu, view.capacity.ram_mib) == ("ready", 8, 16384)
    assert (view.accelerator, view.load, view.load_at) == ("kvm", 0.25, START)


def test_an_unknown_host_is_no_news(world: World) -> None:
    world.host("node1")
    seen = observation.HostObservation("nowhere", START, 1, 1024, 1)
    assert not observation.record(world.ctx, seen)
    assert not observation.record_silence(world.ctx, "nowhere", "no route")


def test_only_what_placement_reads_moves_the_generation(fleet: World) -> None:
    before = fleet.get_host("node1").generation
    fleet.observe("node1", load=0.9)
    assert fleet.get_host("node1").generation == before
    fleet.observe("node1", ram_mib=4096)
    assert fleet.get_host("node1").generation == before + 1


def test_what_a_host_tells_of_itself_is_kept(fleet: World) -> None:
    nodes = (NumaObservation(0, 2, 4096, 1024), NumaObservation(8, 2, 4000))
    pools = {"default": 100 * GIB, "fast": 10 * GIB}
    measured = Measurements(memory=0.5, pressure=0.01, io_latency_ms=1.23456789)
    told = {"pools": pools, "numa": nodes, "machines": ("pc", "q35"), "images": ("tiny",)}
    fleet.observe("node1", load=0.25, measured=measured, **told)
    view = fleet.get_host("node1")
    assert (view.pools, view.machines, view.images) == (pools, ("pc", "q35"), ("tiny",))
    assert view.numa == (
        {"id": 0, "cpu": 2, "ram_mib": 4096, "huge_pages_mib": 1024},
        {"id": 8, "cpu": 2, "ram_mib": 4000, "huge_pages_mib": 0},
    )
    assert view.measured == {"memory": 0.5, "pressure": 0.01, "io_latency_ms": 1.2346}
    untold = fleet.get_host("node2")
    assert (untold.pools, untold.numa, untold.machines, untold.images) == (None, None, None, None)
    assert untold.measured == {}


@pytest.mark.parametrize(
    ("told", "moves"),
    [
        ({"pools": {"default": 1, "fast": 2}}, 1),
        ({"numa": (NumaObservation(0, 4, 8192),)}, 1),
        ({"machines": ("q35",)}, 1),
        ({"images": ("tiny", "debian-12")}, 0),
        ({"load": 0.5, "measured": Measurements(memory=0.9)}, 0),
    ],
)
def test_what_may_refuse_a_vm_makes_earlier_decisions_void(fleet: World, told: dict[str, Any], moves: int) -> None:
    before = fleet.get_host("node1").generation
    for _again in range(2):
        fleet.observe("node1", **told)
        assert fleet.get_host("node1").generation == before + moves


def test_domains_are_replaced_and_others_are_shown_unmanaged(fleet: World) -> None:
    home = str(fleet.running().host)
    stranger = DomainObservation("11111111-2222-3333-4444-555555555555", "windows", "running", cpu=2, ram_mib=2048)
    fleet.observe(home, {"web01": "running"}, others=(stranger,))
    shown = {one.name: one for one in host.domains(fleet.ctx, ADMIN, home)}
    assert (shown["windows"].managed, shown["windows"].vm) == (False, None)
    assert (shown["vm-101"].managed, shown["vm-101"].vm, shown["vm-101"].epoch) == (True, "vm-101", 1)
    fleet.observe(home, {"web01": "running"})
    assert [one.name for one in host.domains(fleet.ctx, ADMIN, home)] == ["vm-101"]


@pytest.mark.parametrize(
    ("shown", "status"), [("running", "running"), ("stopped", "stopped"), ("paused", "paused"), ("crashed", "stopped")]
)
def test_the_status_follows_the_host_when_no_operation_is_open(fleet: World, shown: str, status: str) -> None:
    home = str(fleet.running().host)
    fleet.observe(home, {"web01": shown})
    assert (fleet.vm().status, fleet.vm().observed_state, fleet.vm().desired) == (status, shown, "running")


def test_a_domain_that_is_gone_is_told_apart(fleet: World) -> None:
    home = str(fleet.running().host)
    before = event.latest(fleet.ctx)
    fleet.observe(home)
    assert (fleet.vm().status, fleet.vm().observed_state) == ("unknown", "absent")
    assert "gone from" in fleet.vm().status_reason
    moves = [one for one in event.after(fleet.ctx, ADMIN, before) if one.kind == "vm.status"]
    assert [(one.data["from"], one.data["to"]) for one in moves] == [("running", "unknown")]


def test_a_domain_without_our_metadata_is_not_ours(fleet: World) -> None:
    made = fleet.running()
    stripped = DomainObservation(made.uuid, made.id, "running")
    fleet.observe(str(made.host), others=(stripped,))
    assert fleet.vm().observed_state == "absent"


def test_an_open_operation_has_the_last_word(fleet: World) -> None:
    home = str(fleet.running().host)
    fleet.change("web01", "stop")
    fleet.observe(home, {"web01": "stopped"})
    assert (fleet.vm().status, fleet.vm().observed_state) == ("stopping", "stopped")


def test_a_look_from_before_the_operation_ended_says_nothing(fleet: World) -> None:
    made = fleet.running()
    fleet.change("web01", "stop")
    looked = fleet.clock.now()
    fleet.clock.advance(2)
    fleet.carry_out("stopped")
    fleet.observe(str(made.host), {"web01": "running"}, at=looked)
    assert fleet.vm().status == "stopped"
    assert not fleet.observe(str(made.host), at=START)


def test_an_error_keeps_its_reason_until_all_is_well(fleet: World) -> None:
    home = str(fleet.running().host)
    fleet.change("web01", "stop")
    error = {"code": "minicloud.hypervisor.failed", "message": "QEMU said no"}
    operation.finish(fleet.ctx, fleet.start(fleet.claim_one()), Outcome.failed(error, retry=False))
    fleet.clock.advance(1)
    fleet.observe(home, {"web01": "running"})
    assert fleet.vm().status == "error"
    assert "QEMU said no" in fleet.vm().status_reason
    fleet.observe(home, {"web01": "stopped"})
    assert fleet.vm().status == "stopped"


def test_addresses_are_kept_while_a_host_does_not_know_better(fleet: World) -> None:
    from dataclasses import replace

    home = str(fleet.running().host)
    fleet.observe(home, others=(replace(fleet.domain("web01", "running"), addresses=("192.168.122.7",)),))
    assert fleet.vm().addresses == ("192.168.122.7",)
    fleet.observe(home, {"web01": "running"})
    assert fleet.vm().addresses == ("192.168.122.7",)


def test_silence_makes_a_host_suspect_and_its_vms_unknown(fleet: World) -> None:
    home = str(fleet.running().host)
    silent_at = fleet.clock.now()
    assert observation.record_silence(fleet.ctx, home, "no route to host")
    fleet.clock.advance(5)
    observation.record_silence(fleet.ctx, home, "no route to host")
    view = fleet.get_host(home)
    assert (view.state, view.silent_since) == ("suspect", silent_at)
    assert fleet.vm().status == "unknown"
    assert "does not answer" in fleet.vm().status_reason
    fleet.observe(home, {"web01": "running"})
    assert fleet.get_host(home).state == "ready"
    assert fleet.get_host(home).silent_since is None
    assert fleet.vm().status == "running"


def test_silence_leaves_vms_with_an_open_operation_alone(fleet: World) -> None:
    home = str(fleet.running().host)
    fleet.change("web01", "stop")
    observation.record_silence(fleet.ctx, home, "no route")
    assert fleet.vm().status == "stopping"


def test_silence_that_is_older_than_an_answer_is_no_news(fleet: World) -> None:
    looked = fleet.clock.now()
    fleet.clock.advance(1)
    fleet.observe("node1")
    assert not observation.record_silence(fleet.ctx, "node1", "no route", looked)
    assert fleet.get_host("node1").state == "ready"


def test_a_fenced_host_is_down_and_its_vms_are_lost(fleet: World) -> None:
    home = str(fleet.running().host)
    fleet.observe(home, {"web01": "running"})
    fence(fleet, home)
    assert fleet.get_host(home).state == "down"
    assert (fleet.vm().status, fleet.vm().host) == ("lost", home)
    assert "power is off" in fleet.vm().status_reason
    assert host.domains(fleet.ctx, ADMIN, home) == ()


def test_a_look_from_before_the_fence_does_not_raise_the_dead(fleet: World) -> None:
    looked = fleet.clock.now()
    fleet.clock.advance(1)
    fence(fleet, "node1")
    assert not fleet.observe("node1", at=looked)
    assert fleet.get_host("node1").state == "down"


def test_a_host_that_comes_back_is_ready_and_its_vms_are_seen(fleet: World) -> None:
    home = str(fleet.running().host)
    fence(fleet, home)
    fleet.observe(home, {"web01": "stopped"})
    assert fleet.get_host(home).state == "ready"
    assert fleet.vm().status == "stopped"


def test_a_host_that_comes_back_with_a_stale_copy_is_not_ready_before_it_is_gone(fleet: World) -> None:
    from minicloud.services import placement

    made = fleet.create()
    home = str(made.vm.host)
    fleet.start(fleet.claim_one())
    fence(fleet, home)
    assert made.operation is not None
    assert placement.replace(fleet.ctx, made.operation.id) is not None
    fleet.carry_out("running")
    fleet.observe(home, {"web01": "running"}, epoch=1)
    view = fleet.get_host(home)
    assert (view.state, "vm-101" in view.state_reason) == ("registering", True)
    assert fleet.vm().host == other(home)
    fleet.observe(home)
    assert fleet.get_host(home).state == "ready"


def test_a_host_being_fenced_is_not_ready_because_it_answered_once_more(fleet: World) -> None:
    observation.record_silence(fleet.ctx, "node1", "no route")
    host.fence(fleet.ctx, ADMIN, "node1")
    fleet.clock.advance(1)
    fleet.observe("node1")
    assert fleet.get_host("node1").state == "fencing"


def test_a_fence_that_fails_leaves_the_host_suspect(fleet: World) -> None:
    observation.record_silence(fleet.ctx, "node1", "no route")
    host.fence(fleet.ctx, ADMIN, "node1")
    claim = fleet.start(fleet.claim_one())
    assert (claim.host, claim.connection.local) == ("localhost", True)
    assert claim.order == {
        "id": "node1",
        "operation": claim.operation,
        "agent": "fence_lab",
        "options": {"password": "geheim"},
        "action": "off",
        "timeout": 60,
    }
    error = {"code": "minicloud.host.fence_failed", "message": "the agent timed out"}
    operation.finish(fleet.ctx, claim, Outcome.failed(error, retry=False))
    view = fleet.get_host("node1")
    assert (view.state, "timed out" in view.state_reason) == ("suspect", True)
