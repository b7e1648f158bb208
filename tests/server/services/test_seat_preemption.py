"""Making room where VMs have threads, nodes or huge pages: who may ask for it, and what those find who come back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from minicloud.services.context import Context
from minicloud.services.policy import FixedPolicy
from minicloud.services.precedence import beside
from minicloud.services.view.observation import NumaObservation
from minicloud.store import allocation as allocations
from minicloud_core.model.errors import NoCapacityError
from minicloud_core.model.order import VmOrder
from minicloud_core.scheduler.request import Request

from tests.server.services.test_preemption import POLICY, stop_all
from tests.server.world import World

NODES = (NumaObservation(0, 2, 4096, 1024), NumaObservation(8, 2, 4096, 1024))


@pytest.fixture
def context(context: Context) -> Context:
    """A context under a policy that lets VMs of priority 100 take the place of those below 50."""
    return replace(context, policy=FixedPolicy(POLICY))


@pytest.fixture
def full(world: World) -> World:
    """A host of two nodes, each of them taken by a VM that runs."""
    world.host("node1", cpu=4, ram_mib=8192)
    world.observe("node1", numa=NODES)
    for name in ("low1", "low2"):
        world.running(name, cpu=2, ram="1G", scheduling={"numa": 1})
    return world


def nodes(world: World) -> dict[str, list[int] | None]:
    with world.ctx.read() as session:
        return {world.vm(row.vm).name: row.nodes for row in allocations.everything(session)}


@pytest.mark.parametrize("asked", [{"pinned": True}, {"huge_pages": True}, {"numa": 1}])
def test_nobody_leaves_for_room_of_a_kind_that_cannot_be_held_meanwhile(full: World, asked: dict[str, Any]) -> None:
    with pytest.raises(NoCapacityError):
        full.create("urgent", cpu=2, ram="1G", scheduling={"priority": 100, **asked})
    assert full.create("plain", cpu=2, ram="1G", scheduling={"priority": 100}).vm.status == "provisioning"


def test_who_comes_back_gets_a_node_that_is_free(full: World) -> None:
    assert nodes(full) == {"low1": [0], "low2": [1]}
    full.create("urgent", cpu=4, ram="1G", scheduling={"priority": 100})
    stop_all(full)
    assert nodes(full) == {"low1": None, "low2": None, "urgent": None}
    full.carry_out("running")
    full.change("urgent", "delete")
    full.carry_out("absent")
    full.running("newcomer", cpu=2, ram="1G", scheduling={"numa": 1})
    assert nodes(full)["newcomer"] == [0]
    full.change("low1", "start")
    assert nodes(full)["low1"] == [1]
    assert VmOrder.from_mapping(full.claim_one().order).numa == (8,)
    with pytest.raises(NoCapacityError):
        full.change("low2", "start")


def test_huge_pages_that_are_given_back_are_nothing_to_who_wants_plain_memory() -> None:
    wanted = Request(4, 4096)
    leaving = [Request(1, 1024), Request(1, 2048, huge_pages=True)]
    assert beside(wanted, leaving) == Request(2, 3072)
