"""One VM takes the place of others: what is planned, what is written, and what becomes of everybody, step by step."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from minicloud.controllers.readmission import plan_readmissions
from minicloud.controllers.service import plan_all
from minicloud.services import (
    audit,
    event,
    host,
    observation,
    operation,
    placement,
    project,
    reconciliation,
    reservation,
    vm,
)
from minicloud.services.admission import admit
from minicloud.services.context import Context, Idempotency
from minicloud.services.policy import FixedPolicy
from minicloud.services.standing_fleet import StandingFleet
from minicloud.services.turn import Turns
from minicloud.services.view.fleet import CorrectVm, GiveUp, Plan, Readmit, Release, ReplaceCreate, TakePlace
from minicloud.services.view.operation import Outcome
from minicloud.services.view.project import Quota
from minicloud.services.view.vm import VmCreation
from minicloud.services.vm_wish import VmWish
from minicloud.store import allocation as allocations
from minicloud_core.model.errors import BusyError, ConflictError, InputError, NoCapacityError
from minicloud_core.model.reservation import ReservationSpec
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import PACK
from minicloud_core.scheduler.priority import Precedence

from tests.server.world import ADMIN, GIB, World

BROKEN = {"code": "minicloud.hypervisor.failed", "message": "no"}
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
    plan = Plan(plan_all(reconciliation.load(world.ctx), fresh=timedelta(seconds=15)))
    return [type(one.intent) for one in reconciliation.apply(world.ctx, plan) if not one.refusal]


def stop_all(world: World) -> None:
    """Carry out the stops of those who make room, and let the create go on."""
    for claim in world.claim():
        assert claim.kind == "vm.stop"
        world.succeed(world.start(claim), "stopped")
    world.clock.advance(1)
    assert look(world) == [TakePlace]


def restarted(world: World) -> World:
    """The service, started again: what it remembers is in the database."""
    world.ctx = replace(world.ctx, fleet=StandingFleet())
    return world


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


def test_every_step_goes_on_after_a_restart(full: World) -> None:
    made = urgent(full)
    assert made.operation is not None
    for claim in restarted(full).claim():
        full.succeed(full.start(claim), "stopped")
    assert look(restarted(full)) == [TakePlace]
    assert shares(full) == {"low1": (0, 0), "low2": (0, 0), "urgent": (4, 1024)}
    assert look(restarted(full)) == []
    full.clock.advance(1)
    full.carry_out("running")
    full.change("urgent", "delete")
    full.carry_out("absent")
    full.observe("node1", {"low1": "stopped", "low2": "stopped"})
    assert look(restarted(full)) == [Readmit, Readmit]
    assert shares(full) == {"low1": (2, 1024), "low2": (2, 1024)}


def test_another_service_sees_shares_change_hands(full: World) -> None:
    other = replace(full.ctx, fleet=StandingFleet(), creates=Turns())
    ask = full.spec("small", cpu=1)
    with pytest.raises(NoCapacityError, match="0 free"):
        vm.create(other, ADMIN, ask, dry_run=True)
    urgent(full, cpu=3)
    stop_all(full)
    # Who had two CPUs each made room for one of three.
    assert vm.create(other, ADMIN, ask, dry_run=True).vm.host == "node1"
    with pytest.raises(NoCapacityError):
        vm.create(other, ADMIN, full.spec("small", cpu=2), dry_run=True)


def test_nobody_makes_room_for_who_is_not_important_enough(full: World) -> None:
    with pytest.raises(NoCapacityError):
        urgent(full, scheduling={"priority": 99})
    full.change("low1", "delete")
    full.carry_out("absent")
    full.running("high", cpu=2, scheduling={"priority": 50})
    with pytest.raises(NoCapacityError):
        urgent(full, scheduling={"priority": 1000})
    assert full.vm("high").status == "running"


def test_what_is_reserved_makes_room_for_nobody(world: World) -> None:
    world.host("node1", cpu=4, ram_mib=8192)
    reservation.create(world.ctx, ADMIN, [ReservationSpec(world.spec("later", cpu=3))])
    world.running("low", cpu=1)
    with pytest.raises(NoCapacityError):
        urgent(world, cpu=2)
    assert [one["vm"] for one in (urgent(world, cpu=1).placement or {})["preempts"]] == ["vm-101"]


def test_nobody_makes_room_where_the_policy_lets_nobody_take_any(full: World) -> None:
    full.ctx = replace(full.ctx, policy=FixedPolicy(replace(POLICY, preemption=None)))
    with pytest.raises(NoCapacityError):
        urgent(full)


def test_a_rehearsal_shows_who_would_leave_and_asks_nobody_to(full: World) -> None:
    spec = full.spec("urgent", cpu=3, scheduling={"priority": "critical"})
    decision = placement.decide(full.ctx, ADMIN, spec).to_mapping()
    assert (decision["host"], decision["preempts"]) == (
        "node1", [{"vm": "vm-101", "priority": -1}, {"vm": "vm-102", "priority": 0}],
    )  # fmt: skip
    would = vm.create(full.ctx, ADMIN, spec, dry_run=True)
    assert would.placement is not None
    assert would.placement["preempts"] == decision["preempts"]
    assert full.claim() == ()
    assert {full.vm(name).status for name in ("low1", "low2")} == {"running"}


def test_its_room_is_nobody_elses_while_it_waits(world: World) -> None:
    world.host("node1", cpu=6, ram_mib=8192)
    world.running("low1", cpu=2, ram="1G")
    world.running("low2", cpu=2, ram="1G")
    made = urgent(world, cpu=6)
    # Two CPUs are free beside what the others hold, and are the new one's.
    assert shares(world)["urgent"] == (2, 0)
    with pytest.raises(NoCapacityError):
        world.create("other", cpu=1)
    with pytest.raises(NoCapacityError):
        vm.create(restarted(world).ctx, ADMIN, world.spec("other", cpu=1))
    stop_all(world)
    assert shares(world) == {"low1": (0, 0), "low2": (0, 0), "urgent": (6, 1024)}
    assert made.vm.name == "urgent"


def test_a_vm_makes_room_for_one_only(world: World) -> None:
    world.host("node1", cpu=4, ram_mib=8192)
    world.running("low1", cpu=2)
    world.running("low2", cpu=2)
    first = urgent(world, "first", cpu=2)
    second = urgent(world, "second", cpu=2)
    assert first.placement is not None and second.placement is not None
    assert [one["vm"] for one in first.placement["preempts"]] == ["vm-101"]
    assert [one["vm"] for one in second.placement["preempts"]] == ["vm-102"]
    with pytest.raises(NoCapacityError):
        urgent(world, "third", cpu=2)
    for claim in world.claim():
        world.succeed(world.start(claim), "stopped")
    assert look(world) == [TakePlace, TakePlace]
    assert shares(world) == {"low1": (0, 0), "low2": (0, 0), "first": (2, 1024), "second": (2, 1024)}


def test_creates_of_one_turn_take_the_place_of_others_one_after_the_other(full: World) -> None:
    names = ["first", "second", "third"]
    wishes = [VmWish(ADMIN, full.spec(name, cpu=2, scheduling={"priority": 100}), "default") for name in names]
    first, second, third = admit(full.ctx, wishes)
    assert isinstance(first, VmCreation) and isinstance(second, VmCreation)
    assert isinstance(third, NoCapacityError)
    assert {one["vm"] for made in (first, second) for one in (made.placement or {})["preempts"]} == {"vm-101", "vm-102"}
    stop_alike = [claim.vm for claim in full.claim()]
    assert stop_alike == ["vm-101", "vm-102"]


def test_who_is_off_already_needs_no_stop(full: World) -> None:
    full.change("low1", "stop")
    full.carry_out("stopped")
    made = urgent(full, cpu=2)
    assert made.operation is not None
    assert (made.operation.state, made.operation.after) == ("waiting", ())
    with pytest.raises(BusyError, match="makes room for vm-103"):
        full.change("low1", "start")
    assert look(full) == [TakePlace]
    assert shares(full) == {"low1": (0, 0), "low2": (2, 1024), "urgent": (2, 1024)}
    full.clock.advance(1)
    full.carry_out("running")
    full.observe("node1", {"low1": "stopped", "low2": "running", "urgent": "running"})
    full.change("low2", "delete")
    full.carry_out("absent")
    # Its owner wants it off: room alone does not start it.
    full.observe("node1", {"low1": "stopped", "urgent": "running"})
    assert look(full) == []


def test_a_vm_that_is_deleted_leaves_its_room_to_who_waits_for_it(full: World) -> None:
    urgent(full)
    full.change("low1", "delete")
    claims = {str(claim.vm): claim for claim in full.claim()}
    assert {name: claim.kind for name, claim in claims.items()} == {"vm-101": "vm.delete", "vm-102": "vm.stop"}
    full.succeed(full.start(claims["vm-101"]), "absent")
    assert shares(full) == {"low2": (2, 1024), "urgent": (2, 1024)}
    with pytest.raises(NoCapacityError):
        full.create("other", cpu=1)
    assert look(full) == []
    full.succeed(full.start(claims["vm-102"]), "stopped")
    assert look(full) == [TakePlace]
    assert shares(full) == {"low2": (0, 0), "urgent": (4, 1024)}


def test_a_vm_whose_stop_fails_has_the_create_fail_and_the_others_start_again(full: World) -> None:
    made = urgent(full)
    assert made.operation is not None
    first, second = full.claim()
    full.succeed(full.start(first), "stopped")
    operation.finish(full.ctx, full.start(second), Outcome.failed(BROKEN, retry=False))
    assert look(full) == [GiveUp]
    failed = full.operation(made.operation.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "minicloud.host.no_capacity"
    assert failed.error["message"] == "No room could be made on node1: vm-102 was to make room on node1, and is error"
    assert (full.vm("urgent").status, full.vm("urgent").host) == ("error", None)
    assert look(full) == [Release, Release]
    assert shares(full) == {"low1": (2, 1024), "low2": (2, 1024)}
    assert [(claim.kind, claim.vm) for claim in full.claim()] == [("vm.start", "vm-101")]
    assert full.vm("low2").status == "error"
    assert full.vm("low1").preempted is None


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_when_nobody_waits_any_more_all_keep_their_room(full: World, how: str) -> None:
    made = urgent(full)
    assert made.operation is not None
    (first,) = full.claim(1)
    full.succeed(full.start(first), "stopped")
    if how == "cancel":
        operation.cancel(full.ctx, ADMIN, made.operation.id)
    else:
        full.change("urgent", "delete")
    assert full.operation(made.operation.id).state == "cancelled"
    assert full.vm("low2").status == "stopping"
    assert look(full) == [Release, Release]
    # Whoever was off starts, and whoever was not yet is left alone.
    assert shares(full) == {"low1": (2, 1024), "low2": (2, 1024)}
    assert (full.vm("low1").status, full.vm("low2").status) == ("starting", "running")
    assert look(full) == []
    with pytest.raises(NoCapacityError):
        full.create("other", cpu=1)


def test_a_stop_that_was_begun_goes_on_to_its_end_though_nobody_waits(full: World) -> None:
    made = urgent(full)
    assert made.operation is not None
    first, second = (full.start(claim) for claim in full.claim())
    operation.cancel(full.ctx, ADMIN, made.operation.id)
    assert look(full) == [Release, Release]
    full.succeed(first, "stopped")
    full.succeed(second, "stopped")
    full.clock.advance(1)
    full.observe("node1", {"low1": "stopped", "low2": "stopped"})
    assert look(full) == [CorrectVm, CorrectVm]
    assert {claim.kind for claim in full.claim()} == {"vm.start"}


def test_nobody_takes_back_a_stop_that_makes_room(full: World) -> None:
    made = urgent(full)
    assert made.operation is not None
    for dry_run in (True, False):
        with pytest.raises(ConflictError, match="to make room for vm-103"):
            operation.cancel(full.ctx, ADMIN, made.operation.after[0], dry_run=dry_run)


@pytest.mark.parametrize("verb", ["start", "reboot", "pause", "migrate"])
def test_who_makes_room_does_nothing_else(full: World, verb: str) -> None:
    urgent(full)
    with pytest.raises(BusyError):
        full.change("low1", verb)
    first, _second = full.claim()
    full.succeed(full.start(first), "stopped")
    with pytest.raises(ConflictError):
        full.change("low1", verb)


def test_who_had_to_leave_is_started_by_its_owner_when_there_is_room(full: World) -> None:
    urgent(full, cpu=2)
    stop_all(full)
    with pytest.raises(NoCapacityError) as refused:
        full.change("low1", "start", dry_run=True)
    assert list(refused.value.details["hosts"]) == ["node1"]
    for verb in ("reboot", "pause", "resume", "migrate"):
        with pytest.raises(ConflictError):
            full.change("low1", verb)
    full.change("low2", "delete")
    full.clock.advance(1)
    for claim in full.claim():
        full.succeed(full.start(claim), "absent" if claim.kind == "vm.delete" else "running")
    would = full.change("low1", "start", dry_run=True)
    assert (would.vm.status, would.vm.preempted) == ("starting", None)
    key = Idempotency("k1", "POST /v1/vms/low1/start", "f")
    started = full.change("low1", "start", idempotency=key)
    assert started.operation is not None
    assert (started.vm.status, started.vm.preempted, started.operation.kind) == ("starting", None, "vm.start")
    assert [reason["rule"] for reason in started.operation.reasons] == ["request", "placement"]
    assert shares(full) == {"low1": (2, 1024), "urgent": (2, 1024)}
    again = full.change("low1", "start", idempotency=key)
    assert again.replayed and again.operation is not None
    assert again.operation.id == started.operation.id
    assert placement.explain(full.ctx, ADMIN, "low1")[0].operation == started.operation.id


def test_who_is_wanted_off_is_not_started(full: World) -> None:
    urgent(full)
    stop_all(full)
    stopped = full.change("low1", "stop")
    assert (stopped.operation, stopped.vm.desired) == (None, "stopped")
    full.clock.advance(1)
    full.carry_out("running")
    full.change("urgent", "delete")
    full.carry_out("absent")
    full.observe("node1", {"low1": "stopped", "low2": "stopped"})
    assert look(full) == [Readmit]
    assert [claim.vm for claim in full.claim()] == ["vm-102"]
    # Until somebody wants it on.
    assert full.change("low1", "start").vm.status == "starting"


def test_the_most_important_comes_back_first_then_the_oldest(world: World) -> None:
    world.host("node1", cpu=6, ram_mib=8192)
    for name, priority in (("a", 0), ("b", 5), ("c", 5)):
        world.running(name, cpu=2, ram="1G", scheduling={"priority": priority})
    urgent(world, cpu=6)
    stop_all(world)
    world.carry_out("running")
    world.change("urgent", "delete")
    world.carry_out("absent")
    world.create("other", cpu=3)
    world.observe("node1", {"a": "stopped", "b": "stopped", "c": "stopped"})
    state = reconciliation.load(world.ctx)
    assert [one.vm for one in plan_readmissions(state, limit=9)] == ["vm-102", "vm-103", "vm-101"]
    # There is room for one of them.
    assert look(world) == [Readmit]
    assert world.vm("b").status == "starting"


def test_disks_stay_where_they_are_and_count(world: World) -> None:
    world.host("node1", cpu=4, ram_mib=8192, disk=100 * GIB)
    world.running("low", cpu=4, disks=["60G"])
    with pytest.raises(NoCapacityError):
        urgent(world, disks=["50G"])
    urgent(world, disks=["40G"])
    assert world.get_host("node1").allocated.disk_bytes == 100 * GIB
    stop_all(world)
    assert world.get_host("node1").allocated.disk_bytes == 100 * GIB
    with pytest.raises(NoCapacityError, match="disk"):
        world.create("other", cpu=1, disks=["1G"])
    world.change("low", "delete")
    world.clock.advance(1)
    for claim in world.claim():
        world.succeed(world.start(claim), "absent" if claim.kind == "vm.delete" else "running")
    assert world.get_host("node1").allocated.disk_bytes == 40 * GIB


def test_when_the_host_falls_silent_the_create_goes_elsewhere_and_all_keep_their_room(full: World) -> None:
    made = urgent(full)
    assert made.operation is not None
    (first,) = full.claim(1)
    full.succeed(full.start(first), "stopped")
    full.host("node2", cpu=4, ram_mib=8192)
    observation.record_silence(full.ctx, "node1", "no route")
    assert look(full) == [ReplaceCreate]
    moved = full.operation(made.operation.id)
    assert (moved.state, moved.host, moved.after) == ("queued", "node2", ())
    assert full.vm("urgent").status_reason == ""
    assert look(full) == [Release, Release]
    assert shares(full) == {"low1": (2, 1024), "low2": (2, 1024)}
    full.clock.advance(1)
    full.observe("node1", {"low1": "stopped", "low2": "running"})
    assert look(full) == [CorrectVm]
    assert {(claim.kind, claim.vm) for claim in full.claim()} == {("vm.start", "vm-101"), ("vm.create", "vm-103")}


def test_it_waits_while_the_host_is_silent_and_there_is_no_other(full: World) -> None:
    made = urgent(full)
    assert made.operation is not None
    (first,) = full.claim(1)
    full.succeed(full.start(first), "stopped")
    observation.record_silence(full.ctx, "node1", "no route")
    assert full.vm("low1").status == "unknown"
    assert look(full) == []
    assert full.operation(made.operation.id).state == "waiting"
    full.clock.advance(1)
    full.observe("node1", {"low1": "stopped", "low2": "running"})
    stop_all(full)
    assert full.operation(made.operation.id).state == "queued"


def test_a_cordon_does_not_matter_to_who_was_admitted(full: World) -> None:
    urgent(full)
    host.cordon(full.ctx, ADMIN, "node1")
    stop_all(full)
    assert shares(full)["urgent"] == (4, 1024)


def test_there_has_to_be_room_after_all(full: World) -> None:
    made = urgent(full)
    assert made.operation is not None
    full.observe("node1", {"low1": "running", "low2": "running"}, cpu=3, ram_mib=8192)
    for claim in full.claim():
        full.succeed(full.start(claim), "stopped")
    assert look(full) == []
    failed = full.operation(made.operation.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert "all have left node1, and it does not fit yet: 4 virtual CPUs wanted" in failed.error["message"]
    assert look(full) == [Release, Release]
    assert {full.vm(name).status for name in ("low1", "low2")} == {"starting"}
    assert shares(full) == {"low1": (2, 1024), "low2": (2, 1024)}


def test_who_has_no_room_and_is_seen_to_run_is_stopped(full: World) -> None:
    urgent(full)
    stop_all(full)
    full.carry_out("running")
    full.observe("node1", {"low1": "running", "low2": "stopped", "urgent": "running"})
    assert look(full) == [CorrectVm]
    (claim,) = full.claim()
    assert (claim.kind, claim.vm) == ("vm.stop", "vm-101")
    assert full.vm("low1").desired == "running"


def test_a_terminal_does_not_get_what_waits(full: World) -> None:
    made = vm.create(
        full.ctx, ADMIN, full.spec("urgent", cpu=4, scheduling={"priority": 100}), claim="terminal", lease_seconds=60
    )
    assert made.claim is None and made.operation is not None
    assert made.operation.state == "waiting"


def test_everything_is_told_with_the_request(full: World) -> None:
    before = event.latest(full.ctx)
    actor = replace(ADMIN, request_id="req-7")
    made = vm.create(full.ctx, actor, full.spec("urgent", cpu=4, scheduling={"priority": 100}))
    assert made.operation is not None
    stop_all(full)
    told = [one for one in event.after(full.ctx, ADMIN, before) if one.kind in ("vm.yields", "vm.preempted")]
    assert [(one.kind, one.vm, one.request_id) for one in told] == [
        ("vm.yields", "vm-101", "req-7"), ("vm.yields", "vm-102", "req-7"),
        ("vm.preempted", "vm-101", "req-7"), ("vm.preempted", "vm-102", "req-7"),
    ]  # fmt: skip
    assert {one.reason for one in told} == {
        "makes room for vm-103 of priority 100", "made room for vm-103 of priority 100",
    }  # fmt: skip
    assert [full.operation(one).request_id for one in made.operation.after] == ["req-7", "req-7"]
    reasons = [reason["message"] for reason in full.operation(made.operation.id).reasons]
    assert reasons[1].startswith("node1 will do once vm-101 (priority -1), vm-102 (priority 0) made room, with a score")
    assert reasons[2] == "vm-101, vm-102 made room on node1"
    stops = [one for one in audit.list(full.ctx, ADMIN).items if one.action == "vm.stop"]
    assert [(one.actor, one.request_id) for one in stops] == [("system", "req-7"), ("system", "req-7")]


def test_a_priority_may_be_a_class_of_the_policy(full: World) -> None:
    made = urgent(full, scheduling={"priority": "critical"})
    assert made.vm.scheduling == {"priority": 500}
    again = urgent(full, scheduling={"priority": "critical"})
    assert (again.vm.id, again.created) == (made.vm.id, False)
    with pytest.raises(InputError) as refused:
        full.create("web", scheduling={"priority": "urgent"})
    (problem,) = refused.value.problems
    assert (problem.field, problem.message) == ("scheduling.priority", "the policy has no priority class urgent")
    assert problem.allowed == "one of critical, batch, or a whole number from -1000 to 1000"


def test_a_project_asks_for_no_more_than_it_may(full: World) -> None:
    project.set_quota(full.ctx, ADMIN, "default", Quota(priority_max=100))
    urgent(full, cpu=1)
    for asked, words in ((101, "101"), ("critical", "500 (critical)")):
        with pytest.raises(InputError) as refused:
            full.create("web", scheduling={"priority": asked})
        (problem,) = refused.value.problems
        assert problem.field == "scheduling.priority"
        assert problem.message == f"{words} is above what project default may ask for"
        assert problem.allowed == "100 or less, such as batch"
    with pytest.raises(InputError):
        placement.decide(full.ctx, ADMIN, full.spec("web", scheduling={"priority": 101}))
    project.set_quota(full.ctx, ADMIN, "default", Quota(priority_max=-1))
    with pytest.raises(InputError, match="0 is above"):
        full.create("web")
    with pytest.raises(InputError, match=r"quota\.priority_max"):
        project.set_quota(full.ctx, ADMIN, "default", Quota(priority_max=1001))


def test_several_services_take_each_place_once(world: World) -> None:
    world.fleet("node1", "node2", "node3", cpu=4, ram_mib=8192)
    for number in range(6):
        world.running(f"low{number}", cpu=2, ram="512M")
    services = [replace(world.ctx, fleet=StandingFleet(), creates=Turns()) for _service in range(3)]

    def ask(number: int) -> VmCreation | None:
        spec = world.spec(f"urgent{number}", cpu=2, ram="512M", scheduling={"priority": 100})
        try:
            return vm.create(services[number % 3], ADMIN, spec)
        except NoCapacityError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [one for one in pool.map(ask, range(8)) if one is not None]
    victims = [victim["vm"] for one in made for victim in (one.placement or {})["preempts"]]
    # Six VMs make room for six others, each for one.
    assert sorted(victims) == [f"vm-{number}" for number in range(101, 107)]
    assert len(made) == 6
    for claim in world.claim(20):
        world.succeed(world.start(claim), "stopped")

    def settle(context: Context) -> None:
        plan = Plan(plan_all(reconciliation.load(context), fresh=timedelta(seconds=15)))
        reconciliation.apply(context, plan)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(settle, services))
    settle(services[0])
    assert {world.operation(one.operation.id).state for one in made if one.operation} == {"queued"}
    for name in ("node1", "node2", "node3"):
        allocated = world.get_host(name).allocated
        assert (allocated.cpu, allocated.ram_mib) == (4, 1024)
