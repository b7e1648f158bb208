"""Placing again: a create whose host died before the domain ran goes elsewhere, once."""

from __future__ import annotations

import pytest
from minicloud.services import host, observation, operation, placement
from minicloud.services.view.operation import Claim, Outcome
from minicloud_core.model.errors import LeaseLostError
from minicloud_core.model.reason import Reason

from tests.server.world import ADMIN, World


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2", fence={"agent": "fence_lab"})
    return world


def other(name: str | None) -> str:
    return "node2" if name == "node1" else "node1"


def cut_power(world: World, name: str) -> None:
    observation.record_silence(world.ctx, name, "no route")
    host.fence(world.ctx, ADMIN, name)
    claim = next(claim for claim in world.claim() if claim.kind == "host.fence")
    operation.finish(world.ctx, world.start(claim), Outcome.succeeded({"state": "off"}))


def begin(world: World) -> tuple[Claim, str]:
    world.create()
    claim = world.start(world.claim_one())
    return claim, claim.host


def test_a_create_that_was_begun_moves_once_its_hosts_power_is_off(fleet: World) -> None:
    late, home = begin(fleet)
    cut_power(fleet, home)
    moved = placement.replace(fleet.ctx, late.operation)
    assert moved is not None
    assert (moved.host, moved.state, moved.tries) == (other(home), "queued", 0)
    assert moved.reasons[-1]["message"] == f"host {home} went down before the domain ran; placed on {other(home)}"
    assert f"-e host={other(home)}" in moved.command
    assert fleet.vm().host == other(home)
    assert [fleet.get_host(name).allocated.cpu for name in (home, other(home))] == [0, 1]
    assert [one.host for one in placement.explain(fleet.ctx, ADMIN, "web01")] == [other(home), home]
    with pytest.raises(LeaseLostError):
        operation.finish(fleet.ctx, late, Outcome.succeeded({"state": "running"}))
    claim = fleet.claim_one()
    assert (claim.host, claim.epoch) == (other(home), late.epoch + 2)
    fleet.succeed(fleet.start(claim), "running")
    assert (fleet.vm().status, fleet.vm().host) == ("running", other(home))


def test_a_create_that_was_begun_stays_while_its_host_may_live(fleet: World) -> None:
    late, home = begin(fleet)
    observation.record_silence(fleet.ctx, home, "no route")
    assert placement.replace(fleet.ctx, late.operation) is None
    fleet.clock.advance(60)
    operation.expire(fleet.ctx)
    assert placement.replace(fleet.ctx, late.operation) is None
    assert fleet.vm().host == home


def test_a_create_that_no_run_began_moves_from_a_host_that_is_silent(fleet: World) -> None:
    made = fleet.create()
    assert made.operation is not None
    home = str(made.vm.host)
    assert placement.replace(fleet.ctx, made.operation.id) is None
    observation.record_silence(fleet.ctx, home, "no route")
    reason = Reason("host.not_ready", f"{home} is suspect", {"seen": 1})
    moved = placement.replace(fleet.ctx, made.operation.id, reason)
    assert moved is not None
    assert moved.reasons[-1]["message"] == f"{home} is suspect; placed on {other(home)}"
    assert moved.reasons[-1]["numbers"] == {"seen": 1, "from": home, "to": other(home), "state": "suspect"}


def test_one_that_has_nowhere_to_go_waits_and_says_so_once(fleet: World) -> None:
    made = fleet.create()
    assert made.operation is not None
    home = str(made.vm.host)
    host.cordon(fleet.ctx, ADMIN, other(home))
    observation.record_silence(fleet.ctx, home, "no route")
    for _time in range(3):
        assert placement.replace(fleet.ctx, made.operation.id) is None
    waiting = fleet.operation(made.operation.id)
    assert (waiting.state, waiting.host) == ("queued", home)
    assert [reason["rule"] for reason in waiting.reasons[2:]] == ["placement.no_capacity"]
    assert fleet.get_host(home).allocated.cpu == 1


def test_one_that_was_asked_for_on_that_host_stays(fleet: World) -> None:
    made = fleet.create(host="node1")
    assert made.operation is not None
    observation.record_silence(fleet.ctx, "node1", "no route")
    assert placement.replace(fleet.ctx, made.operation.id) is None
    assert fleet.vm().host == "node1"


def test_other_operations_are_not_placed_again(fleet: World) -> None:
    fleet.running()
    stop = fleet.change("web01", "stop").operation
    assert stop is not None
    cut_power(fleet, str(stop.host))
    assert placement.replace(fleet.ctx, stop.id) is None
    assert placement.replace(fleet.ctx, "op-none") is None
