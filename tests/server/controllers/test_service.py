"""The controllers on a real store: what they begin, and that they let a fleet at rest be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from minicloud.controllers.service import Controllers
from minicloud.services import event, host, observation, operation, reservation
from minicloud.services.context import Context
from minicloud.services.view.fleet import CorrectVm, FenceHost, PurgeDomain, ReplaceCreate
from minicloud.services.view.host import HostSpec
from minicloud.settings import Settings
from minicloud_core.model.reservation import parse_reservation

from tests.server.world import ADMIN, FixedClock, World

# Nobody listens there: the second path is as dead as the first.
FENCE = {"agent": "fence_ipmilan", "options": {"ip": "127.0.0.1"}}
CLOSED = {"ssh_port": 1, "fence": FENCE}


@pytest.fixture
def controllers(context: Context, tmp_path: Path) -> Iterator[Controllers]:
    settings = Settings(
        state_dir=tmp_path, observe_interval=5, reconcile_interval=0.2, suspect_after=5, confirm_after=5
    )
    controllers = Controllers(context, settings)
    yield controllers
    controllers.stop(5)


def on_loopback(world: World, *names: str) -> None:
    for name in names:
        host.register(world.ctx, ADMIN, HostSpec(name, "127.0.0.1", **CLOSED))  # type: ignore[arg-type]
        world.observe(name)


def wait_for(found: Callable[[], object], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_fleet_at_rest_is_left_alone(controllers: Controllers, world: World) -> None:
    world.fleet("node1", "node2")
    home = world.running().host
    assert home is not None
    world.observe(home, {"web01": "running"})
    for _pass in range(3):
        assert controllers.reconcile().intents == ()
        assert controllers.look_after_hosts().intents == ()
    assert controllers.status().applied == 0


def test_drift_is_put_right_once_and_then_waits_for_its_operation(
    controllers: Controllers, world: World, clock: FixedClock
) -> None:
    world.fleet("node1")
    world.running()
    world.observe("node1", {"web01": "stopped"})
    (intent,) = controllers.reconcile().intents
    assert isinstance(intent, CorrectVm)
    assert world.vm().status == "starting"
    assert controllers.reconcile().intents == ()
    world.carry_out("running")
    world.observe("node1", {"web01": "running"})
    assert controllers.reconcile().intents == ()
    assert world.vm().status == "running"


def test_a_vm_that_falls_over_again_and_again_is_started_ever_more_seldom(
    controllers: Controllers, world: World, clock: FixedClock
) -> None:
    world.fleet("node1")
    world.running()
    starts = []
    for second in range(120):
        world.observe("node1", {"web01": "stopped"})
        if controllers.reconcile().intents:
            starts.append(second)
            world.carry_out("running")
        clock.advance(1)
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert 3 <= len(starts) <= 8
    assert pauses[-1] > 2 * pauses[0]


def test_a_silent_host_is_fenced_and_its_create_goes_elsewhere(
    controllers: Controllers, world: World, clock: FixedClock
) -> None:
    on_loopback(world, "node1", "node2")
    home = world.create().vm.host
    assert home is not None
    other = "node2" if home == "node1" else "node1"
    world.start(world.claim_one())
    observation.record_silence(world.ctx, home, "no route to host")
    for _second in range(11):
        assert controllers.reconcile().intents == ()
        clock.advance(1)
        world.observe(other)
    (fence,) = controllers.look_after_hosts().intents
    assert fence == FenceHost(home, fence.reason)
    assert controllers.look_after_hosts().intents == ()
    claims = {claim.kind: claim for claim in world.claim()}
    operation.finish(
        world.ctx, world.start(claims["host.fence"], "run-2"), operation.Outcome.succeeded({"state": "off"})
    )
    assert world.get_host(home).state == "down"
    clock.advance(60)
    operation.expire(world.ctx)
    world.observe(other)
    (rescue,) = controllers.reconcile().intents
    assert isinstance(rescue, ReplaceCreate)
    assert world.vm().host == other


def test_a_stale_copy_is_purged(controllers: Controllers, world: World, clock: FixedClock) -> None:
    world.fleet("node1", "node2")
    home = world.running().host
    assert home is not None
    other = "node2" if home == "node1" else "node1"
    world.observe(home, {"web01": "running"})
    world.observe(other, {"web01": "running"}, epoch=0)
    (purge,) = controllers.reconcile().intents
    assert isinstance(purge, PurgeDomain)
    assert purge.host == other
    assert controllers.reconcile().intents == ()


def test_too_many_silent_hosts_make_the_service_doubt_itself(
    controllers: Controllers, world: World, clock: FixedClock
) -> None:
    on_loopback(world, "node1", "node2", "node3")
    for name in ("node1", "node2"):
        observation.record_silence(world.ctx, name, "no route to host")
    clock.advance(60)
    assert controllers.look_after_hosts().intents == ()
    assert "2 of 3 hosts are silent" in controllers.status().doubt
    for name in ("node1", "node2"):
        world.observe(name)
    controllers.look_after_hosts()
    assert controllers.status().doubt == ""


def test_the_loops_act_by_themselves_on_a_hint(controllers: Controllers, world: World) -> None:
    world.fleet("node1")
    world.running()
    controllers.start()
    wait_for(lambda: controllers.status().passes > 1)
    assert controllers.healthy
    world.observe("node1", {"web01": "stopped"})
    wait_for(lambda: world.vm().status == "starting")
    controllers.stop(5)
    assert not controllers.healthy


def test_leases_that_ran_out_are_given_up(controllers: Controllers, world: World, clock: FixedClock) -> None:
    world.fleet("node1")
    made = world.create().operation
    assert made is not None
    world.start(world.claim_one())
    clock.advance(31)
    controllers.start()
    wait_for(lambda: world.operation(made.id).state == "queued")


def test_a_pass_that_fails_is_followed_by_another(
    controllers: Controllers, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise RuntimeError("a planner is broken")

    monkeypatch.setattr(controllers, "reconcile", fail)
    controllers.start()
    wait_for(lambda: len(calls) >= 2)
    assert controllers.healthy


def test_reservations_end_when_their_time_is_over(controllers: Controllers, world: World, clock: FixedClock) -> None:
    world.fleet("node1")
    (held,) = reservation.create(world.ctx, ADMIN, [parse_reservation({"ttl": 60})])
    before = event.latest(world.ctx)
    controllers.start()
    clock.advance(60)
    wait_for(lambda: [one.data["to"] for one in event.after(world.ctx, ADMIN, before)] == ["expired"])
    assert reservation.get(world.ctx, ADMIN, held.reservation.id).ended_at == clock.now()
