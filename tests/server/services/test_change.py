"""Verbs: allowed by the tables, one at a time, nothing where there is nothing to do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from minicloud.services import event, host, observation, operation, placement, project, vm
from minicloud.services.context import Actor
from minicloud.services.policy import FixedPolicy
from minicloud.services.view.project import Quota
from minicloud_core.model.errors import (
    BusyError,
    ConflictError,
    ForbiddenError,
    InputError,
    NoCapacityError,
    NotFoundError,
    TransitionError,
)
from minicloud_core.scheduler.policy import CRITICAL

from tests.server.world import ADMIN, World


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2")
    return world


@pytest.mark.parametrize(
    ("before", "verb", "status", "ends"),
    [
        ("running", "stop", "stopping", ("stopped", "stopped")),
        ("running", "reboot", "rebooting", ("running", "running")),
        ("running", "reset", "rebooting", ("running", "running")),
        ("running", "pause", "pausing", ("paused", "paused")),
        ("paused", "resume", "resuming", ("running", "running")),
        ("paused", "start", "starting", ("running", "running")),
        ("paused", "stop", "stopping", ("stopped", "stopped")),
        ("stopped", "start", "starting", ("running", "running")),
    ],
)
def test_a_verb_shows_what_is_under_way_and_ends_where_it_should(
    fleet: World, before: str, verb: str, status: str, ends: tuple[str, str]
) -> None:
    desired, state = ends
    fleet.running()
    if before != "running":
        fleet.change("web01", {"stopped": "stop", "paused": "pause"}[before])
        fleet.carry_out(before)
    answer = fleet.change("web01", verb)
    assert answer.changed and answer.operation is not None
    assert (answer.vm.status, answer.vm.desired) == (status, desired)
    claim = fleet.start(fleet.claim_one())
    assert claim.order["state"] == state
    assert claim.order.get("action") == (verb if verb in ("reboot", "reset") else None)
    fleet.succeed(claim, state)
    assert (fleet.vm().status, fleet.vm().desired) == (state, desired)


@pytest.mark.parametrize(("verb", "state"), [("start", "running"), ("resume", "running")])
def test_nothing_to_do_is_no_operation(fleet: World, verb: str, state: str) -> None:
    fleet.running()
    answer = fleet.change("web01", verb)
    assert (answer.changed, answer.operation, answer.vm.status) == (False, None, state)
    assert fleet.claim() == ()


def test_nothing_to_do_still_writes_what_is_desired(fleet: World) -> None:
    """A VM that was started behind our back and is then started through us is no drift any more."""
    fleet.running()
    fleet.change("web01", "stop")
    fleet.carry_out("stopped")
    fleet.observe(str(fleet.vm().host), {"web01": "running"})
    assert (fleet.vm().status, fleet.vm().desired) == ("running", "stopped")
    assert not fleet.change("web01", "start").changed
    assert fleet.vm().desired == "running"


def test_a_second_verb_is_told_what_is_under_way(fleet: World) -> None:
    fleet.running()
    first = fleet.change("web01", "stop")
    with pytest.raises(BusyError) as caught:
        fleet.change("web01", "start")
    assert first.operation is not None
    assert caught.value.details["operation"] == first.operation.id
    assert caught.value.details["kind"] == "vm.stop"


@pytest.mark.parametrize("verb", ["pause", "resume", "reboot", "reset", "migrate"])
def test_the_table_refuses_what_a_stopped_vm_cannot_do(fleet: World, verb: str) -> None:
    fleet.running()
    fleet.change("web01", "stop")
    fleet.carry_out("stopped")
    with pytest.raises(TransitionError, match="from stopped"):
        fleet.change("web01", verb)
    assert fleet.claim() == ()


@pytest.mark.parametrize(
    ("verb", "arguments", "field"),
    [
        ("explode", {}, "verb"),
        ("start", {"force": True}, "force"),
        ("stop", {"force": "yes"}, "force"),
        ("stop", {"graceful": -1}, "graceful"),
        ("migrate", {"host": "a/b"}, "host"),
        ("migrate", {"bandwidth_mib": 1.5}, "bandwidth_mib"),
        ("migrate", {"wat": 1}, "wat"),
    ],
)
def test_wrong_arguments_are_named(fleet: World, verb: str, arguments: dict[str, Any], field: str) -> None:
    fleet.running()
    with pytest.raises(InputError) as caught:
        fleet.change("web01", verb, **arguments)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert fleet.vm().status == "running"


def test_a_forced_stop_waits_for_nobody(fleet: World) -> None:
    fleet.running()
    fleet.change("web01", "stop", force=True)
    assert fleet.claim_one().order["graceful"] == 0


def test_a_dry_run_shows_and_changes_nothing(fleet: World) -> None:
    fleet.running()
    before = event.latest(fleet.ctx)
    for verb, status in (("stop", "stopping"), ("delete", "deleting"), ("migrate", "migrating")):
        answer = fleet.change("web01", verb, dry_run=True)
        assert (answer.vm.status, answer.changed, answer.operation) == (status, True, None)
    assert not fleet.change("web01", "start", dry_run=True).changed
    assert event.latest(fleet.ctx) == before
    assert fleet.vm().status == "running"


def test_others_vms_do_not_exist(fleet: World) -> None:
    project.create(fleet.ctx, ADMIN, "shop", Quota())
    made = fleet.running()
    stranger = Actor("bob", "member", "shop")
    for reference in (made.id, "web01"):
        with pytest.raises(NotFoundError):
            vm.get(fleet.ctx, stranger, reference)
        with pytest.raises(NotFoundError):
            vm.change(fleet.ctx, stranger, reference, "delete")
        with pytest.raises(NotFoundError):
            placement.explain(fleet.ctx, stranger, reference)
    with pytest.raises(NotFoundError):
        operation.get(fleet.ctx, stranger, str(made.operation))
    assert vm.list(fleet.ctx, stranger).items == ()
    assert operation.list(fleet.ctx, stranger).items == ()
    assert event.after(fleet.ctx, stranger, 0) == ()
    with pytest.raises(ForbiddenError):
        vm.change(fleet.ctx, Actor("eve", "viewer", "default"), "web01", "stop")
    assert fleet.vm().status == "running"


def test_a_name_of_two_projects_needs_saying_which(fleet: World) -> None:
    project.create(fleet.ctx, ADMIN, "shop", Quota())
    fleet.running()
    second = vm.create(fleet.ctx, ADMIN, fleet.spec(), project="shop").vm
    with pytest.raises(ConflictError, match="several projects"):
        fleet.vm("web01")
    assert vm.get(fleet.ctx, ADMIN, "web01", project="shop").id == second.id
    assert vm.get(fleet.ctx, ADMIN, second.id).id == second.id


def test_a_migration_holds_room_on_both_hosts_until_it_ends(fleet: World) -> None:
    before = fleet.running()
    answer = fleet.change("web01", "migrate")
    assert answer.operation is not None and answer.placement is not None
    there = answer.operation.destination
    assert {answer.operation.host, there} == {"node1", "node2"}
    assert answer.operation.host == before.host
    assert answer.vm.status == "migrating"
    assert [fleet.get_host(name).allocated.cpu for name in ("node1", "node2")] == [1, 1]
    claim = fleet.start(fleet.claim_one())
    assert claim.host == before.host and claim.destination is not None
    assert claim.order["destination_uri"] == f"qemu+tls://{claim.destination.address}/system"
    assert claim.image is not None and "signature=" in claim.image["files"][0]["url"]
    fleet.succeed(claim, "running")
    after = fleet.vm()
    assert (after.host, after.status, after.desired) == (there, "running", "running")
    assert fleet.get_host(str(before.host)).allocated.cpu == 0
    assert (after.uuid, after.nics) == (before.uuid, before.nics)
    assert len(placement.explain(fleet.ctx, ADMIN, "web01")) == 2


def test_a_vm_may_migrate_in_a_fleet_that_may_lose_no_host_already(fleet: World) -> None:
    fleet.running("small", ram="2G")
    # On each host so much that the other could not take it as well.
    fleet.running("large1", ram="4608M")
    fleet.running("large2", ram="4608M")
    fleet.ctx = replace(fleet.ctx, policy=FixedPolicy(CRITICAL))
    with pytest.raises(NoCapacityError, match="were node1 to fail"):
        fleet.create("another", ram="64M")
    before = fleet.vm("small").host
    answer = fleet.change("small", "migrate", dry_run=True)
    assert answer.placement is not None and answer.placement["host"] not in (None, before)
    assert fleet.change("small", "migrate").placement is not None


def test_a_migration_to_a_host_that_will_not_do_says_why(fleet: World) -> None:
    made = fleet.running()
    other = "node2" if made.host == "node1" else "node1"
    host.cordon(fleet.ctx, ADMIN, other)
    with pytest.raises(NoCapacityError) as caught:
        fleet.change("web01", "migrate", host=other)
    assert set(caught.value.details["hosts"]) == {"node1", "node2"}
    assert fleet.vm().status == "running"
    assert fleet.get_host(other).allocated.cpu == 0
    with pytest.raises(NoCapacityError, match="No host"):
        fleet.change("web01", "migrate", host="nowhere")


def test_a_migration_to_where_it_is_does_nothing(fleet: World) -> None:
    made = fleet.running()
    assert not fleet.change("web01", "migrate", host=made.host).changed


def test_a_migration_avoids_hosts_that_have_a_stale_copy(fleet: World) -> None:
    made = fleet.running()
    other = "node2" if made.host == "node1" else "node1"
    fleet.observe(other, {"web01": "stopped"}, epoch=0)
    with pytest.raises(NoCapacityError):
        fleet.change("web01", "migrate")


def test_a_delete_frees_everything_and_the_name(fleet: World) -> None:
    made = fleet.running()
    answer = fleet.change("web01", "delete")
    assert answer.operation is not None
    assert (answer.vm.status, answer.vm.desired) == ("deleting", "absent")
    assert fleet.get_host(str(made.host)).allocated.cpu == 1
    fleet.carry_out("absent")
    with pytest.raises(NotFoundError):
        fleet.vm(made.id)
    assert fleet.get_host(str(made.host)).allocated.cpu == 0
    assert [one.vm for one in operation.list(fleet.ctx, ADMIN, vm=made.id).items] == [made.id, made.id]


def test_deleting_twice_answers_the_same_operation(fleet: World) -> None:
    fleet.running()
    first, second = fleet.change("web01", "delete"), fleet.change("web01", "delete")
    assert first.operation is not None and second.operation is not None
    assert second.operation.id == first.operation.id
    assert not second.changed


def test_deleting_what_was_never_begun_needs_no_run(fleet: World) -> None:
    made = fleet.create()
    answer = fleet.change("web01", "delete")
    assert (answer.vm.status, answer.operation) == ("deleted", None)
    assert made.operation is not None
    assert fleet.operation(made.operation.id).state == "cancelled"
    assert fleet.claim() == ()
    assert fleet.get_host(str(made.vm.host)).allocated.cpu == 0


def test_a_delete_cancels_what_waits(fleet: World) -> None:
    fleet.running()
    stop = fleet.change("web01", "stop").operation
    answer = fleet.change("web01", "delete")
    assert stop is not None and answer.operation is not None
    assert fleet.operation(stop.id).state == "cancelled"
    assert fleet.claim_one().operation == answer.operation.id


def test_a_delete_waits_behind_what_runs_and_asks_it_to_stop(fleet: World) -> None:
    fleet.create()
    create = fleet.start(fleet.claim_one())
    answer = fleet.change("web01", "delete")
    assert answer.operation is not None and answer.vm.status == "deleting"
    assert fleet.claim() == ()
    assert operation.renew(fleet.ctx, [create], 30).cancelled == (create.operation,)
    fleet.succeed(create, "running")
    assert fleet.vm().status == "deleting"
    claim = fleet.claim_one()
    assert (claim.operation, claim.epoch) == (answer.operation.id, create.epoch + 1)
    fleet.succeed(fleet.start(claim), "absent")
    with pytest.raises(NotFoundError):
        fleet.vm()


def test_a_delete_behind_a_migration_follows_the_vm(fleet: World) -> None:
    fleet.running()
    fleet.change("web01", "migrate")
    migration = fleet.start(fleet.claim_one())
    fleet.change("web01", "delete")
    fleet.succeed(migration, "running")
    assert migration.destination is not None
    assert fleet.claim_one().host == migration.destination.name


def test_a_claimed_verb_answers_the_order(fleet: World) -> None:
    fleet.running()
    answer = fleet.change("web01", "stop", claim="ann@laptop:7")
    assert answer.claim is not None and answer.claim.order["state"] == "stopped"
    assert fleet.claim() == ()


def test_what_cannot_be_begun_cannot_be_claimed(fleet: World) -> None:
    made = fleet.running()
    observation.record_silence(fleet.ctx, str(made.host), "no route")
    with pytest.raises(ConflictError, match="suspect"):
        fleet.change("web01", "delete", claim="ann@laptop:7")
    assert fleet.vm().desired == "running"


def test_lists_page_and_filter(fleet: World) -> None:
    for number in range(5):
        fleet.create(f"vm{number}", labels={"tier": "web" if number % 2 else "db", "a.b/c": "x"})
    first = vm.list(fleet.ctx, ADMIN, limit=2)
    second = vm.list(fleet.ctx, ADMIN, limit=2, cursor=first.next)
    third = vm.list(fleet.ctx, ADMIN, limit=2, cursor=second.next)
    names = [one.name for page in (first, second, third) for one in page.items]
    assert names == [f"vm{number}" for number in range(5)]
    assert third.next is None
    web = vm.list(fleet.ctx, ADMIN, labels={"tier": "web", "a.b/c": "x"})
    assert [one.name for one in web.items] == ["vm1", "vm3"]
    assert [one.name for one in vm.list(fleet.ctx, ADMIN, name="vm4").items] == ["vm4"]
    assert vm.list(fleet.ctx, ADMIN, status="running").items == ()
    for wrong in ({"cursor": "x"}, {"limit": 0}, {"limit": 501}):
        with pytest.raises(InputError):
            vm.list(fleet.ctx, ADMIN, **wrong)
