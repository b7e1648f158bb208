"""Reconciliation: what it reads is whole, what it plans goes by the same door and is checked again."""

from __future__ import annotations

import pytest
from minicloud.services import host, observation, operation, placement, reconciliation
from minicloud.services.view.fleet import Applied, CorrectVm, FenceHost, Intent, Plan, PurgeDomain, ReplaceCreate
from minicloud.services.view.operation import Outcome
from minicloud_core.model.errors import NotFoundError
from minicloud_core.model.reason import Reason

from tests.server.world import ADMIN, World

WHY = Reason("drift", "desired running, but node1 shows it stopped", {"attempts": 0})
BROKEN = {"code": "minicloud.hypervisor.failed", "message": "QEMU said no"}


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2", fence={"agent": "fence_lab"})
    return world


def apply(world: World, intent: Intent) -> Applied:
    (applied,) = reconciliation.apply(world.ctx, Plan((intent,)))
    return applied


def stray(world: World) -> str:
    """web01 moved from a host that died, and the copy there came back; returns that host."""
    made = world.create()
    home = str(made.vm.host)
    world.start(world.claim_one())
    observation.record_silence(world.ctx, home, "no route")
    host.fence(world.ctx, ADMIN, home)
    claim = next(claim for claim in world.claim() if claim.kind == "host.fence")
    operation.finish(world.ctx, world.start(claim), Outcome.succeeded({"state": "off"}))
    assert made.operation is not None
    placement.replace(world.ctx, made.operation.id)
    world.clock.advance(1)
    world.carry_out("running")
    world.observe(home, {"web01": "running"}, epoch=1)
    return home


def test_the_fleet_is_read_whole(fleet: World) -> None:
    made = fleet.running()
    fleet.observe(str(made.host), {"web01": "stopped"})
    state = reconciliation.load(fleet.ctx)
    (vm,) = state.vms
    assert (vm.id, vm.desired, vm.status, vm.host_state) == ("vm-101", "running", "stopped", "ready")
    assert (vm.observed_state, vm.operation, vm.attempts) == ("stopped", None, 0)
    assert vm.settled_at is not None and vm.observed_at is not None and vm.observed_at > vm.settled_at
    assert [(one.name, one.state, one.fence) for one in state.hosts] == [
        ("node1", "ready", True),
        ("node2", "ready", True),
    ]
    assert state.domains == () and state.creates == ()
    fleet.change("web01", "start")
    assert reconciliation.load(fleet.ctx).vms[0].operation == "vm.start"


def test_a_correction_is_an_operation_with_its_reason(fleet: World) -> None:
    made = fleet.running()
    fleet.observe(str(made.host), {"web01": "stopped"})
    applied = apply(fleet, CorrectVm("vm-101", "start", WHY))
    assert applied.operation is not None
    queued = fleet.operation(applied.operation)
    assert (queued.kind, queued.actor) == ("vm.start", "system")
    assert queued.reasons[0]["message"] == WHY.message
    assert fleet.vm().status == "starting"
    assert reconciliation.load(fleet.ctx).vms[0].attempts == 1


def test_a_correction_leaves_what_is_desired_alone(fleet: World) -> None:
    made = fleet.running()
    fleet.change("web01", "pause")
    fleet.carry_out("paused")
    fleet.observe(str(made.host), {"web01": "stopped"})
    assert apply(fleet, CorrectVm("vm-101", "start", WHY)).operation is not None
    fleet.carry_out("running")
    assert (fleet.vm().status, fleet.vm().desired) == ("running", "paused")


def test_a_domain_that_is_gone_is_made_again_where_it_was(fleet: World) -> None:
    made = fleet.running()
    fleet.observe(str(made.host))
    applied = apply(fleet, CorrectVm("vm-101", "define", WHY))
    assert applied.operation is not None
    claim = fleet.start(fleet.claim_one())
    assert (claim.kind, claim.host, claim.order["state"]) == ("vm.create", made.host, "running")
    assert claim.order["uuid"] == made.uuid
    assert [nic["mac"] for nic in claim.order["nics"]] == [nic.mac for nic in made.nics]
    fleet.succeed(claim, "running")
    assert fleet.vm().status == "running"


def test_cancelling_a_domains_remaking_keeps_the_vm(fleet: World) -> None:
    made = fleet.running()
    fleet.observe(str(made.host))
    name = apply(fleet, CorrectVm("vm-101", "define", WHY)).operation
    operation.cancel(fleet.ctx, ADMIN, str(name))
    assert (fleet.vm().status, fleet.vm().host) == ("error", made.host)


def test_corrections_are_checked_again(fleet: World) -> None:
    made = fleet.running()
    fleet.observe(str(made.host), {"web01": "stopped"})
    assert not fleet.change("web01", "stop").changed
    assert "does not lead there" in apply(fleet, CorrectVm("vm-101", "start", WHY)).refusal
    fleet.change("web01", "start")
    assert "is busy" in apply(fleet, CorrectVm("vm-101", "start", WHY)).refusal
    fleet.carry_out("running")
    fleet.change("web01", "stop")
    fleet.carry_out("stopped")
    assert "was not seen" in apply(fleet, CorrectVm("vm-101", "stop", WHY)).refusal
    fleet.observe(str(made.host), {"web01": "running"})
    fleet.clock.advance(1)
    observation.record_silence(fleet.ctx, str(made.host), "no route")
    assert "suspect" in apply(fleet, CorrectVm("vm-101", "stop", WHY)).refusal
    assert "no VM vm-999" in apply(fleet, CorrectVm("vm-999", "start", WHY)).refusal


def test_one_refusal_keeps_nothing_else_from_being_done(fleet: World) -> None:
    made = fleet.running()
    fleet.observe(str(made.host), {"web01": "stopped"})
    plan = Plan((CorrectVm("vm-999", "start", WHY), CorrectVm("vm-101", "start", WHY)))
    first, second = reconciliation.apply(fleet.ctx, plan)
    assert first.refusal and first.operation is None
    assert second.operation and not second.refusal


def test_a_vm_that_keeps_falling_over_waits_longer_each_time(fleet: World) -> None:
    home = str(fleet.running().host)
    waits = []
    for _time in range(4):
        fleet.observe(home, {"web01": "crashed"})
        assert apply(fleet, CorrectVm("vm-101", "start", WHY)).operation is not None
        fleet.carry_out("running")
        fleet.observe(home, {"web01": "crashed"})
        assert "not due" in apply(fleet, CorrectVm("vm-101", "start", WHY)).refusal
        due = reconciliation.load(fleet.ctx).vms[0].not_before
        assert due is not None
        waits.append((due - fleet.clock.now()).total_seconds())
        fleet.clock.at = due
    assert waits == sorted(waits)
    fleet.observe(home, {"web01": "running"})
    assert reconciliation.load(fleet.ctx).vms[0].attempts == 4
    fleet.clock.advance(600)
    fleet.observe(home, {"web01": "running"})
    assert reconciliation.load(fleet.ctx).vms[0].attempts == 0


def test_a_delete_that_failed_is_done_again(fleet: World) -> None:
    fleet.running()
    fleet.change("web01", "delete")
    operation.finish(fleet.ctx, fleet.start(fleet.claim_one()), Outcome.failed(BROKEN, retry=False))
    assert apply(fleet, CorrectVm("vm-101", "delete", WHY)).operation is not None
    fleet.carry_out("absent")
    with pytest.raises(NotFoundError):
        fleet.vm()


def test_a_stale_copy_is_seen_and_purged_without_touching_its_vm(fleet: World) -> None:
    home = stray(fleet)
    before = fleet.vm()
    (copy,) = reconciliation.load(fleet.ctx).domains
    assert (copy.host, copy.vm, copy.epoch, copy.vm_host) == (home, "vm-101", 1, before.host)
    assert copy.vm_epoch == before.epoch > copy.epoch
    intent = PurgeDomain(home, "vm-101", copy.uuid, Reason("drift.stale_copy", "lives elsewhere"))
    applied = apply(fleet, intent)
    assert applied.operation is not None
    assert reconciliation.load(fleet.ctx).domains[0].purge_operation == applied.operation
    assert "already" in apply(fleet, intent).refusal
    # The host is not ready before its copies are gone, and the purge is what may run there.
    assert fleet.get_host(home).state == "registering"
    claim = fleet.start(fleet.claim_one())
    assert (claim.kind, claim.host, claim.playbook) == ("domain.purge", home, "destroy_vm.yml")
    assert (claim.order["state"], claim.order["epoch"], claim.order["uuid"]) == ("absent", before.epoch, before.uuid)
    fleet.succeed(claim, "absent")
    assert reconciliation.load(fleet.ctx).domains == ()
    assert fleet.vm() == before
    fleet.observe(home)
    assert fleet.get_host(home).state == "ready"


def test_a_purge_is_no_obstacle_to_its_vm(fleet: World) -> None:
    home = stray(fleet)
    (copy,) = reconciliation.load(fleet.ctx).domains
    apply(fleet, PurgeDomain(home, "vm-101", copy.uuid, WHY))
    assert fleet.change("web01", "stop").operation is not None
    assert {claim.kind for claim in fleet.claim()} == {"domain.purge", "vm.stop"}


def test_a_purge_that_failed_is_not_repeated_at_once(fleet: World) -> None:
    home = stray(fleet)
    (copy,) = reconciliation.load(fleet.ctx).domains
    intent = PurgeDomain(home, "vm-101", copy.uuid, WHY)
    apply(fleet, intent)
    operation.finish(fleet.ctx, fleet.start(fleet.claim_one()), Outcome.failed(BROKEN, retry=False))
    assert "not due" in apply(fleet, intent).refusal
    fleet.clock.advance(61)
    assert apply(fleet, intent).operation is not None


@pytest.mark.parametrize("epoch", [None, 99])
def test_what_belongs_or_is_newer_is_never_purged(fleet: World, epoch: int | None) -> None:
    made = fleet.running()
    home = str(made.host)
    away = "node2" if home == "node1" else "node1"
    fleet.observe(home, {"web01": "running"})
    fleet.observe(away, {"web01": "running"}, epoch=epoch)
    assert "belongs on" in apply(fleet, PurgeDomain(home, "vm-101", made.uuid, WHY)).refusal
    assert "not older" in apply(fleet, PurgeDomain(away, "vm-101", made.uuid, WHY)).refusal
    assert fleet.claim() == ()


def test_copies_of_deleted_vms_are_seen(fleet: World) -> None:
    made = fleet.running()
    seen = fleet.domain("web01", "running")
    fleet.change("web01", "delete")
    fleet.carry_out("absent")
    fleet.observe(str(made.host), others=(seen,))
    (copy,) = reconciliation.load(fleet.ctx).domains
    assert (copy.vm, copy.vm_host) == ("vm-101", None)
    assert apply(fleet, PurgeDomain(copy.host, copy.vm, copy.uuid, WHY)).operation is not None
    fleet.carry_out("absent")


def test_creates_on_hosts_that_cannot_carry_them_out_are_seen_and_moved(fleet: World) -> None:
    made = fleet.create()
    assert made.operation is not None
    home = str(made.vm.host)
    observation.record_silence(fleet.ctx, home, "no route")
    (create,) = reconciliation.load(fleet.ctx).creates
    assert (create.operation, create.host, create.host_state, create.begun) == (
        made.operation.id,
        home,
        "suspect",
        False,
    )
    assert apply(fleet, ReplaceCreate(create.operation, WHY)).operation == made.operation.id
    assert reconciliation.load(fleet.ctx).creates == ()
    assert apply(fleet, ReplaceCreate(create.operation, WHY)).refusal == "it no longer applies"


def test_a_host_is_fenced_only_while_it_is_silent(fleet: World) -> None:
    assert apply(fleet, FenceHost("node1", WHY)).operation is None
    observation.record_silence(fleet.ctx, "node1", "no route")
    applied = apply(fleet, FenceHost("node1", Reason("host.silent", "silent for 30 s")))
    assert applied.operation is not None
    assert fleet.operation(applied.operation).reasons[0]["rule"] == "host.silent"
    (node1, _node2) = reconciliation.load(fleet.ctx).hosts
    assert (node1.state, node1.fence_operation) == ("fencing", applied.operation)
    operation.finish(fleet.ctx, fleet.start(fleet.claim_one()), Outcome.failed(BROKEN, retry=False))
    assert apply(fleet, FenceHost("node1", WHY)).operation is None
    fleet.clock.advance(600)
    assert apply(fleet, FenceHost("node1", WHY)).operation is not None
