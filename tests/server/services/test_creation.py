"""Creating VMs: checked, placed, written in one transaction; the same again is the same VM."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud.services import audit, event, placement, project, vm
from minicloud.services.context import Actor
from minicloud.services.view.project import Quota
from minicloud_core.model.errors import (
    BusyError,
    ForbiddenError,
    InputError,
    NoCapacityError,
    NotFoundError,
    QuotaError,
    SpecConflictError,
)

from tests.server.world import ADMIN, GIB, World

MEMBER = Actor("ann", "member", "default")


def vms_of(world: World) -> int:
    return len(vm.list(world.ctx, ADMIN).items)


def test_a_create_is_placed_written_and_queued_at_once(world: World) -> None:
    world.fleet("node1", "node2")
    made = world.create("web01", cpu=2, ram="1G", disks=["2G"], labels={"tier": "web"})
    assert (made.vm.id, made.vm.status, made.vm.desired) == ("vm-101", "provisioning", "running")
    assert made.vm.host in ("node1", "node2")
    assert made.created and made.operation is not None
    assert (made.operation.kind, made.operation.state, made.operation.host) == ("vm.create", "queued", made.vm.host)
    assert made.vm.operation == made.operation.id
    assert made.vm.nics[0].mac.startswith("52:54:00:")
    allocated = world.get_host(str(made.vm.host)).allocated
    assert (allocated.cpu, allocated.ram_mib, allocated.disk_bytes) == (2, 1024, 2 * GIB)
    (kept,) = placement.explain(world.ctx, ADMIN, "web01")
    assert kept.host == made.vm.host
    assert {entry["host"] for entry in kept.decision["accepted"]} == {"node1", "node2"}
    assert [reason["rule"] for reason in made.operation.reasons] == ["request", "placement"]
    assert f"{made.vm.host} is the best of 2" in made.operation.reasons[1]["message"]
    assert made.operation.command == (
        "ansible-playbook playbooks/create_vm.yml -e name=web01 -e cpu=2 -e ram=1024 -e image=tiny"
        f" -e host={made.vm.host}"
        """ -e '{"disks": [{"size": 2147483648, "pool": "default"}]}' -e '{"labels": {"tier": "web"}}'"""
    )


def test_a_create_leaves_an_audit_entry_and_events_with_the_request_id(world: World) -> None:
    world.host("node1")
    before = event.latest(world.ctx)
    made = world.create()
    seen = event.after(world.ctx, ADMIN, before)
    assert [(one.kind, one.data.get("to")) for one in seen if one.kind != "operation.reason"] == [
        ("operation.state", "queued"),
        ("vm.status", "provisioning"),
    ]
    assert {one.request_id for one in seen} == {"req-1"}
    entry = audit.list(world.ctx, ADMIN, action="vm.create").items[0]
    assert (entry.actor, entry.resource, entry.request_id) == ("root", made.vm.id, "req-1")


def test_numbers_count_up_and_are_not_given_twice(world: World) -> None:
    world.host("node1")
    world.create("a")
    world.change("a", "delete")
    assert world.create("a").vm.id == "vm-102"


def test_the_same_spec_answers_the_same_vm(world: World) -> None:
    world.host("node1")
    first, second = world.create(), world.create()
    assert second.vm.id == first.vm.id
    assert (first.created, second.created) == (True, False)
    assert first.operation is not None and second.operation is not None
    assert second.operation.id == first.operation.id
    assert second.placement == first.placement
    assert vms_of(world) == 1


def test_another_spec_is_refused_with_what_differs(world: World) -> None:
    world.host("node1")
    world.create()
    with pytest.raises(SpecConflictError) as caught:
        world.create(cpu=2)
    assert caught.value.details["differences"] == {"cpu": {"existing": 1, "requested": 2}}
    assert vms_of(world) == 1


def test_naming_the_host_that_it_is_on_is_no_difference(world: World) -> None:
    world.fleet("node1", "node2")
    made = world.create()
    assert world.create(host=made.vm.host).vm.id == made.vm.id
    other = "node2" if made.vm.host == "node1" else "node1"
    with pytest.raises(SpecConflictError):
        world.create(host=other)


def test_the_name_of_a_vm_that_is_being_deleted_is_taken(world: World) -> None:
    world.host("node1")
    world.running()
    world.change("web01", "delete")
    with pytest.raises(BusyError, match="being deleted"):
        world.create()
    world.carry_out("absent")
    assert world.create().vm.id == "vm-102"


def test_names_repeat_between_projects(world: World) -> None:
    world.host("node1")
    project.create(world.ctx, ADMIN, "shop", Quota())
    first = world.create()
    second = vm.create(world.ctx, ADMIN, world.spec(), project="shop")
    assert first.vm.id != second.vm.id
    assert second.vm.project == "shop"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"image": "debian"}, "image"),
        ({"image": "big", "ram": 512}, "ram"),
        ({"image": "disk", "disks": ["1G"]}, "disks.0.size"),
    ],
)
def test_what_the_image_does_not_allow_is_refused_by_field(world: World, body: dict[str, Any], field: str) -> None:
    world.host("node1")
    world.image("big", min_ram_mib=1024)
    world.image("disk", kind="disk", min_disk=2 * GIB)
    with pytest.raises(InputError) as caught:
        world.create(**body)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert caught.value.problems[0].allowed
    assert vms_of(world) == 0


def test_a_disk_image_brings_its_disk(world: World) -> None:
    world.host("node1")
    world.image("debian", kind="disk", min_disk=2 * GIB)
    made = world.create(image="debian")
    assert [(disk.name, disk.size) for disk in made.vm.disks] == [("vda", 2 * GIB)]
    assert world.get_host("node1").allocated.disk_bytes == 2 * GIB


def test_a_vm_too_big_for_every_host_is_refused_with_each_reason(world: World) -> None:
    world.fleet("node1", "node2", ram_mib=2048)
    with pytest.raises(NoCapacityError) as caught:
        world.create(ram="4G")
    hosts = caught.value.details["hosts"]
    assert set(hosts) == {"node1", "node2"}
    assert all(reason["numbers"] for reasons in hosts.values() for reason in reasons)
    assert vms_of(world) == 0
    assert world.get_host("node1").allocated.ram_mib == 0


def test_cordoned_and_silent_hosts_get_nothing(world: World) -> None:
    from minicloud.services import host, observation

    world.fleet("node1", "node2", "node3")
    host.cordon(world.ctx, ADMIN, "node1")
    observation.record_silence(world.ctx, "node2", "no route")
    assert {world.create(name).vm.host for name in ("a", "b", "c")} == {"node3"}


@pytest.mark.parametrize(
    ("quota", "limit"), [(Quota(vms=1), "vms"), (Quota(cpu=2), "cpu"), (Quota(ram_mib=1023), "ram_mib")]
)
def test_a_quota_is_not_passed(world: World, quota: Quota, limit: str) -> None:
    world.host("node1")
    project.set_quota(world.ctx, ADMIN, "default", quota)
    world.create("a")
    with pytest.raises(QuotaError) as caught:
        world.create("b", cpu=2)
    assert limit in caught.value.details["limits"]
    assert vms_of(world) == 1


def test_a_dry_run_answers_what_would_happen_and_writes_nothing(world: World) -> None:
    world.host("node1")
    before = event.latest(world.ctx)
    made = vm.create(world.ctx, ADMIN, world.spec(), dry_run=True)
    assert (made.vm.id, made.vm.host, made.vm.status, made.operation) == ("", "node1", "provisioning", None)
    assert made.created and made.placement is not None and made.placement["host"] == "node1"
    assert vms_of(world) == 0
    assert event.latest(world.ctx) == before
    with pytest.raises(NoCapacityError):
        vm.create(world.ctx, ADMIN, world.spec(ram="1T"), dry_run=True)


def test_a_claimed_create_answers_the_order_and_is_nobody_elses(world: World) -> None:
    world.host("node1")
    made = vm.create(world.ctx, ADMIN, world.spec(), claim="ann@laptop:7", lease_seconds=20)
    assert made.claim is not None and made.operation is not None
    assert made.operation.state == "claimed"
    assert made.claim.order["state"] == "running"
    assert made.claim.connection.address == "10.77.0.11"
    assert (made.claim.lease_until - world.clock.now()).total_seconds() == 20
    assert world.claim() == ()


def test_a_terminal_that_asks_again_takes_what_nobody_began(world: World) -> None:
    world.host("node1")
    world.create()
    again = vm.create(world.ctx, ADMIN, world.spec(), claim="ann@laptop:7")
    assert not again.created and again.claim is not None
    third = vm.create(world.ctx, ADMIN, world.spec(), claim="bob@desk:8")
    assert third.claim is None


def test_projects_and_roles_confine(world: World) -> None:
    world.host("node1")
    with pytest.raises(ForbiddenError):
        world.create(actor=Actor("eve", "viewer", "default"))
    with pytest.raises(NotFoundError):
        vm.create(world.ctx, MEMBER, world.spec(), project="shop")
    with pytest.raises(NotFoundError):
        vm.create(world.ctx, ADMIN, world.spec(), project="nowhere")
    assert world.create(actor=MEMBER).vm.project == "default"


def test_asking_where_a_vm_would_go_writes_nothing(world: World) -> None:
    world.host("node1")
    assert placement.decide(world.ctx, MEMBER, world.spec()).host == "node1"
    refused = placement.decide(world.ctx, MEMBER, world.spec(ram="1T"))
    assert refused.host is None and refused.refused[0].host == "node1"
    assert vms_of(world) == 0
