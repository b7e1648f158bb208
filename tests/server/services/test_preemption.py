"""One VM takes the place of others: what is planned, what is written, and what becomes of everybody, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from minicloud.services import audit, event, host, observation, operation, placement, project, reconciliation, vm
from minicloud.services.context import Actor, Context
from minicloud.services.policy import FixedPolicy
from minicloud.services.view.fleet import GiveUp, Plan, Readmit, Release, TakePlace
from minicloud.services.view.operation import Claim, Outcome
from minicloud.services.view.project import Quota
from minicloud.services.view.vm import VmCreation
from minicloud.store import allocation as allocations
from minicloud_core.model.errors import BusyError, ConflictError, InputError, NoCapacityError
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import PACK
from minicloud_core.scheduler.priority import Precedence
from minicloud_core.scheduler.request import Request

from tests.server.world import ADMIN, GIB, World

POLICY = replace(
    PACK,
    name="strict",
    limits=Limits(cpu_overcommit=1.0, ram_reserved_mib=0),
    preemption=Precedence(from_priority=100, victims_below=50),
    priority_classes={"critical": 500, "batch": -100},
)


@pytest.fixture
def context(context: Context) -> Context:
    """A context under a policy that lets VMs of priority 100 take the place of those below 50."""
    return replace(context, policy=FixedPolicy(POLICY))


@pytest.fixture
def full(world: World) -> World:
    """A host of four CPUs, on which two VMs run that take it all."""
    world.host("node1", cpu=4, ram_mib=8192)
    world.running("low1", cpu=2, ram="1G", scheduling={"priority": -1})
    world.running("low2", cpu=2, ram="1G")
    return world


def urgent(world: World, name: str = "urgent", **body: Any) -> VmCreation:
    return world.create(name, **{"cpu": 4, "ram": "1G", "scheduling": {"priority": 100}, **body})


def shares(world: World) -> dict[str, tuple[int, int]]:
    """By the VM's name, what it has of node1: virtual CPUs and MiB."""
    with world.ctx.read() as session:
        return {world.vm(row.vm).name: (row.cpu, row.ram_mib) for row in allocations.on_host(session, "node1")}


def look(world: World) -> list[type]:
    """One pass of the reconciler; what it did."""
    from minicloud.controllers.service import plan_all
    from datetime import timedelta

    plan = Plan(plan_all(reconciliation.load(world.ctx), fresh=timedelta(seconds=15)))
    return [type(one.intent) for one in reconciliation.apply(world.ctx, plan) if not one.refusal]


def test_a_story(full: World) -> None:
    # It fits nowhere: two have to leave for it.
    made = urgent(full)
    assert made.operation is not None
    assert (made.vm.status, made.vm.host, made.operation.state) == ("provisioning", "node1", "waiting")
    assert made.vm.status_reason == "waits until vm-101, vm-102 made room"
    assert [one["vm"] for one in made.placement["preempts"]] == ["vm-101", "vm-102"]
    stops = [full.operation(one) for one in made.operation.after]
    assert [(one.kind, one.vm, one.state) for one in stops] == [
        ("vm.stop", "vm-101", "queued"), ("vm.stop", "vm-102", "queued"),
    ]  # fmt: skip
    assert full.vm("low1").status == "stopping"
    assert full.vm("low1").status_reason == "makes room for vm-103 of priority 100"
    assert full.vm("low1").desired == "running"
    # They keep what they have until both are off.
    assert shares(full) == {"low1": (2, 1024), "low2": (2, 1024), "urgent": (0, 0)}
    assert look(full) == []
    first, second = full.claim()
    assert {first.kind, second.kind} == {"vm.stop"}
    full.succeed(full.start(first), "stopped")
    assert look(full) == []
    full.succeed(full.start(second), "stopped")
    # Then all of it changes hands in one moment.
    assert look(full) == [TakePlace]
    assert shares(full) == {"low1": (0, 0), "low2": (0, 0), "urgent": (4, 1024)}
    assert full.operation(made.operation.id).state == "queued"
    low = full.vm("low1")
    assert (low.status, low.desired, low.host) == ("stopped", "running", "node1")
    assert low.status_reason == "made room for vm-103 of priority 100"
    assert low.preempted is not None
    assert {key: low.preempted[key] for key in ("by", "priority", "operation", "request_id")} == {
        "by": "vm-103", "priority": 100, "operation": made.operation.id, "request_id": "req-1",
    }  # fmt: skip
    full.clock.advance(1)
    full.carry_out("running")
    # Off they stay while there is no room for them, whatever their host shows.
    full.observe("node1", {"low1": "stopped", "low2": "stopped", "urgent": "running"})
    assert look(full) == []
    with pytest.raises(NoCapacityError, match="2 virtual CPUs"):
        full.change("low1", "start")
    # Once there is, they start again, the more important first.
    full.change("urgent", "delete")
    full.carry_out("absent")
    full.observe("node1", {"low1": "stopped", "low2": "stopped"})
    assert look(full) == [Readmit, Readmit]
    assert shares(full) == {"low1": (2, 1024), "low2": (2, 1024)}
    assert [claim.vm for claim in full.claim()] == ["vm-102", "vm-101"]
    assert full.vm("low1").preempted is None
    assert full.vm("low1").status == "starting"
