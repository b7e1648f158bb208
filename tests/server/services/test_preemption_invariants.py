"""Whatever happens while VMs make room for one another: no host is over a limit, no room is lost or given twice, and
once all is quiet nobody waits for anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
from minicloud.controllers.service import plan_all
from minicloud.services import operation, reconciliation
from minicloud.services.context import Context
from minicloud.services.policy import FixedPolicy
from minicloud.services.standing_fleet import StandingFleet
from minicloud.services.view.fleet import Plan
from minicloud.store import allocation as allocations
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.store import Store
from minicloud_core.model.errors import ConflictError, NoCapacityError
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import PACK
from minicloud_core.scheduler.priority import Precedence

from tests.server.conftest import empty
from tests.server.services.test_invariants import CPU, HOSTS, OUTCOMES, Fleet
from tests.server.world import FixedClock, PlainSettings, SeededEntropy, World

POLICY = replace(
    PACK, name="strict", limits=Limits(cpu_overcommit=4.0), preemption=Precedence(from_priority=10, victims_below=10)
)
WANTED = ("running", "paused")


class CrowdedFleet(Fleet):
    """The same two small hosts, and some VMs that matter more than others."""

    taken = 0
    returned = 0

    def __init__(self) -> None:
        super().__init__()
        for name in ("b", "c"):
            self.world.running(name, cpu=3)

    @rule(name=st.sampled_from(["x", "y", "z"]), cpu=st.sampled_from([2, 3, 4]), priority=st.sampled_from([10, 20]))
    def create_urgent(self, name: str, cpu: int, priority: int) -> None:
        try:
            self.world.create(name, cpu=cpu, scheduling={"priority": priority})
        except (ConflictError, NoCapacityError):
            return

    @rule(
        name=st.sampled_from(["x", "y", "z"]),
        cpu=st.sampled_from([2, 4]),
        how=st.one_of(st.just("succeeded"), OUTCOMES),
    )
    def make_room(self, name: str, cpu: int, how: str) -> None:
        """A create in the place of others from wish to end, between everybody else's steps."""
        for host in HOSTS:
            self.world.clock.advance(1)
            self.show(host)
        for filler in ("b", "c"):
            self.create(filler, 3, claim=False)
        self.work(3, "succeeded")
        self.create_urgent(name, cpu, 10)
        self.work(3, how)
        self.look(restart=True)
        self.work(3, "succeeded")

    @rule(name=st.sampled_from(["x", "y", "z"]))
    def leave(self, name: str) -> None:
        """One that had taken the place of others goes, and they come back."""
        self.change(name, "delete")
        self.work(3, "succeeded")
        for host in HOSTS:
            self.show(host)
        self.look(restart=False)
        self.work(3, "succeeded")

    @rule(restart=st.booleans())
    def look(self, *, restart: bool) -> None:
        """The reconciler takes its next steps, perhaps in a service that was started again."""
        if restart:
            self.world.ctx = replace(self.world.ctx, fleet=StandingFleet())
        plan = Plan(plan_all(reconciliation.load(self.world.ctx), fresh=timedelta(seconds=15)))
        for one in reconciliation.apply(self.world.ctx, plan):
            type(self).taken += type(one.intent).__name__ == "TakePlace" and one.operation is not None
            type(self).returned += type(one.intent).__name__ == "Readmit" and one.operation is not None

    @invariant()
    def rooms_are_as_large_as_they_should_be(self) -> None:
        with self.world.ctx.read() as session:
            rooms = {(row.vm, row.host): (row.cpu, row.ram_mib) for row in allocations.everything(session)}
            living = {row.id: row for row in vms.alive(session)}
            awaited = {row.vm: row for row in operations.waiting(session)}
        for (name, host), room in rooms.items():
            vm = living[name]
            needs = (vm.cpu, vm.ram_mib)
            if vm.preempted is not None:
                assert (room, vm.yields_to) == ((0, 0), None)
            elif name not in awaited:
                assert room == needs, (name, host)
            else:
                theirs = [rooms[one.id, host] for one in living.values() if one.yields_to == name]
                held = [mine + sum(parts) for mine, *parts in zip(room, *theirs, strict=True)]
                assert all(have >= need for have, need in zip(held, needs, strict=True)), (held, needs)
                assert all(mine <= need for mine, need in zip(room, needs, strict=True))

    @invariant()
    def the_kept_fleet_is_what_is_written(self) -> None:
        kept = self.world.ctx.fleet
        with kept.lent() as fleet, self.world.ctx.read() as session:
            scheduler = fleet.scheduler(session, POLICY, self.world.clock.now())
            rooms = allocations.everything(session)
        for name in HOSTS:
            there = scheduler.fleet.host(name)
            assert there is not None
            assert there.allocated_cpu == sum(row.cpu for row in rooms if row.host == name)
            assert there.allocated_ram_mib == sum(row.ram_mib for row in rooms if row.host == name)

    def teardown(self) -> None:
        """Everything goes well from now on; then nobody waits, and who is wanted on and has room is on."""
        for name in HOSTS:
            self.world.clock.advance(1)
            self.show(name)
        for _pass in range(12):
            self.world.clock.advance(400)
            operation.expire(self.world.ctx)
            for claim in self.world.claim(20):
                self.end(self.world.start(claim), "succeeded", str(claim.order.get("state", "running")))
            self.world.clock.advance(1)
            for name in HOSTS:
                self.show(name)
            self.look(restart=False)
            self.rooms_match_vms()
            self.no_host_promises_more_than_it_has()
        with self.world.ctx.read() as session:
            assert operations.waiting(session) == []
            assert vms.yielding(session) == []
            living = vms.alive(session)
            busy = operations.busy_vms(session)
        for vm in living:
            if vm.id not in busy and vm.host is not None and vm.preempted is None and vm.desired in WANTED:
                assert vm.status == vm.desired, (vm.id, vm.status, vm.desired)

    def show(self, name: str) -> None:
        """A host shows what its VMs were last left as."""
        shown: dict[str, str] = {}
        with self.world.ctx.read() as session:
            for row in vms.on_host(session, name):
                if row.status in ("running", "stopped", "paused"):
                    shown[row.id] = row.status
                elif row.status == "unknown":
                    shown[row.id] = "stopped"
        self.world.observe(name, shown)


@pytest.mark.slow
def test_whatever_happens(store: Store, tmp_path: Path) -> None:
    def make_world() -> World:
        empty(store)
        clock = FixedClock()
        made: dict[str, Any] = {"entropy": SeededEntropy(), "policy": FixedPolicy(POLICY)}
        world = World(Context(store, PlainSettings(tmp_path), b"k" * 32, clock, **made), clock)
        world.fleet(*HOSTS, cpu=CPU, fence={"agent": "fence_lab"})
        return world

    machine = type("SmallCrowdedFleet", (CrowdedFleet,), {"make_world": staticmethod(make_world)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            # A failure is told as it was found: making it smaller takes minutes.
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    # The machine reached what it is there to shake.
    assert machine.taken > 3, machine.taken
    assert machine.returned > 0, machine.returned
