"""The fleet that is kept between placements is the fleet that the database has, whatever happens to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from minicloud.services import host, operation, project, reservation, vm
from minicloud.services.policy import FixedPolicy
from minicloud.services.snapshot import Snapshot, take_snapshot
from minicloud.services.standing_fleet import StandingFleet
from minicloud.services.view.operation import Outcome
from minicloud.services.view.project import Quota
from minicloud.services.view.reservation import ReservationView
from minicloud_core.model.errors import InputError, MinicloudError, NoCapacityError
from minicloud_core.model.reservation import parse_reservations
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.policy import BALANCED

from tests.server.world import ADMIN, World

NODES = ("node1", "node2", "node3", "node4", "node5")


def fresh(world: World) -> Snapshot:
    with world.ctx.read() as session:
        return take_snapshot(session, world.clock.now())


def kept(world: World, standing: StandingFleet) -> Fleet:
    with standing.lent() as fleet, world.ctx.read() as session:
        return fleet.scheduler(session, world.ctx.policy.current(), world.clock.now()).fleet


def picture(fleet: Fleet) -> dict[str, Any]:
    """What placement reads of who is where."""
    return {
        "hosts": [(one.id, one.state, one.cordoned, one.cpu, one.labels) for one in fleet.hosts],
        "used": np.column_stack((fleet.cpu_used, fleet.ram_used, fleet.disk_used)).tolist(),
        "places": {name: (fleet.where(name), fleet.request_of(name)) for name in fleet.vms()},
    }


class Life:
    """What may happen to a fleet, by chance."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.random = world, random.Random(seed)
        self.made = 0

    def act(self) -> None:
        deeds: list[Callable[[], object]] = [
            self.create, self.create, self.create, self.finish, self.finish, self.delete,
            self.migrate, self.cordon, self.resize, self.join,
            self.reserve, self.reserve, self.use, self.release, self.wait, self.sweep,
        ]  # fmt: skip
        try:
            self.random.choice(deeds)()
        except MinicloudError:
            return  # not every deed is possible at every time

    def create(self) -> None:
        self.made += 1
        asked = self.random.choice([{}, {"group": "db", "anti_affinity": ["group:db"]}, {"prefer_with": ["tier=a"]}])
        labels = {"tier": self.random.choice("ab")}
        where = self.random.choice(["default", "other"])
        spec = self.world.spec(f"vm{self.made}", ram=64, labels=labels, scheduling=asked)
        vm.create(self.world.ctx, ADMIN, spec, project=where)

    def finish(self) -> None:
        for claim in self.world.claim(3):
            started = self.world.start(claim, f"run-{claim.operation}-{claim.attempt}")
            good = self.random.random() < 0.7
            states = {"vm.delete": "absent"}
            outcome = Outcome.succeeded({"state": states.get(claim.kind, "running")})
            failed = Outcome.failed({"code": "x", "message": "no"}, retry=False)
            operation.finish(self.world.ctx, started, outcome if good else failed)
        self.world.clock.advance(100)

    def delete(self) -> None:
        self._change("delete")

    def migrate(self) -> None:
        self._change("migrate")

    def _change(self, verb: str) -> None:
        there = vm.list(self.world.ctx, ADMIN, limit=200).items
        if there:
            one = self.random.choice(there)
            vm.change(self.world.ctx, ADMIN, one.id, verb)

    def cordon(self) -> None:
        name = self.random.choice(NODES)
        self.random.choice((host.cordon, host.uncordon))(self.world.ctx, ADMIN, name)

    def resize(self) -> None:
        self.world.observe(self.random.choice(NODES), cpu=self.random.choice((2, 4, 8)), load=self.random.random())

    def reserve(self) -> None:
        bodies = [{"ram": 64, "ttl": self.random.choice((30, 150, 500))} for _one in range(self.random.choice((1, 3)))]
        reservation.create(self.world.ctx, ADMIN, parse_reservations(bodies), listed=True)

    def use(self) -> None:
        self.made += 1
        held = self._held()
        spec = self.world.spec(f"vm{self.made}", ram=64)
        vm.create(self.world.ctx, ADMIN, spec, reservation=self.random.choice(held).id if held else "rsv-none")

    def release(self) -> None:
        for one in self._held()[:1]:
            reservation.release(self.world.ctx, ADMIN, one.id)

    def _held(self) -> tuple[ReservationView, ...]:
        return reservation.list(self.world.ctx, ADMIN, state="held").items

    def wait(self) -> None:
        self.world.clock.advance(self.random.choice((1, 29, 31)))

    def sweep(self) -> None:
        reservation.expire(self.world.ctx)

    def join(self) -> None:
        if self.random.random() < 0.2:
            self.world.host(f"node{self.random.randint(6, 8)}")


@pytest.mark.parametrize("seed", range(4))
def test_what_is_kept_is_what_is_there(world: World, seed: int) -> None:
    world.fleet(*NODES)
    project.create(world.ctx, ADMIN, "other", Quota())
    life, standing = Life(world, seed), StandingFleet()
    for _step in range(80):
        life.act()
        # The world's own fleet places and takes; the other one only ever looks.
        truth = picture(fresh(world).fleet)
        assert picture(kept(world, standing)) == truth
        assert picture(kept(world, world.ctx.fleet)) == truth


def test_nothing_is_read_anew_when_nothing_changed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from minicloud.services import standing_fleet

    world.fleet("node1", "node2")
    read, real = [], standing_fleet.take_snapshot

    def counting(*arguments: Any) -> Snapshot:
        read.append(1)
        return real(*arguments)

    monkeypatch.setattr(standing_fleet, "take_snapshot", counting)
    for number in range(5):
        world.create(f"vm{number}", ram=64)
    world.change("vm1", "delete")
    world.create("last", ram=64)
    assert len(read) == 1


def test_what_is_measured_is_heeded_before_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from minicloud.services import standing_fleet

    world.fleet("node1", "node2")
    world.create("first", ram=64, cpu=2)
    patient, eager = StandingFleet(), StandingFleet()
    old = kept(world, patient)
    with monkeypatch.context() as patch:
        patch.setattr(standing_fleet, "_MEASURE_EVERY", 0.0)
        patch.setattr(standing_fleet, "_MEASURE_SHARE", float("inf"))
        kept(world, eager)
        world.observe("node2", load=0.9)
        world.observe("node1", load=0.1)
        new = kept(world, eager)
        assert [host.load for host in new.hosts] == [0.1, 0.9]
        assert picture(new) == picture(old)
        assert kept(world, eager) is new
    assert kept(world, patient) is old


def test_a_create_that_fails_to_be_written_leaves_no_trace(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from minicloud.services import admission

    world.fleet("node1")
    world.create("first", ram=64)

    def broken(*_arguments: Any, **_named: Any) -> None:
        raise RuntimeError("the pen broke")

    with monkeypatch.context() as patch:
        patch.setattr(admission.audit, "note", broken)
        with pytest.raises(RuntimeError, match="pen"):
            world.create("second", ram=64)
    assert picture(kept(world, world.ctx.fleet)) == picture(fresh(world).fleet)
    assert world.create("third", ram=64).vm.id == "vm-102"


def test_vms_that_keep_apart_are_kept_apart(world: World) -> None:
    world.fleet("node1", "node2")
    apart = {"group": "db", "anti_affinity": ["group:db"]}
    hosts = {world.create(name, ram=64, scheduling=apart).vm.host for name in ("db1", "db2")}
    assert hosts == {"node1", "node2"}
    with pytest.raises(NoCapacityError, match="node1"):
        world.create("db3", ram=64, scheduling=apart)
    with pytest.raises(NoCapacityError):
        vm.create(world.ctx, ADMIN, world.spec("db3", ram=64, scheduling=apart), dry_run=True)


def test_a_vm_that_is_named_must_be_there(world: World) -> None:
    world.fleet("node1", "node2")
    beside = {"affinity": ["vm:db1"]}
    with pytest.raises(InputError) as refused:
        world.create("web1", ram=64, scheduling=beside)
    assert refused.value.problems[0].field == "scheduling.affinity.0"
    where = world.create("db1", ram=64, host="node2").vm.host
    assert world.create("web1", ram=64, scheduling=beside).vm.host == where


def test_a_migration_keeps_the_rules_of_its_vm(world: World) -> None:
    world.fleet("node1", "node2", "node3")
    apart = {"group": "db", "anti_affinity": ["group:db"]}
    world.running("db1", host="node1", scheduling=apart)
    world.running("db2", host="node2", scheduling=apart)
    moved = world.change("db1", "migrate")
    assert moved.operation is not None and moved.operation.destination == "node3"


def test_a_host_creates_so_many_at_once_and_then_the_next(world: World) -> None:
    one_at_once = replace(BALANCED, limits=replace(BALANCED.limits, creates_at_once=1))
    world.ctx = replace(world.ctx, policy=FixedPolicy(one_at_once))
    world.fleet("node1", "node2")
    assert {world.create(name, ram=64).vm.host for name in ("a", "b")} == {"node1", "node2"}
    with pytest.raises(NoCapacityError, match="at once"):
        world.create("c", ram=64)
    for claim in world.claim():
        world.succeed(world.start(claim), "running")
    assert world.create("c", ram=64).vm.host is not None
