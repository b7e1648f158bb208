"""The record of placements: every decision with what had been asked for, newest first."""

from __future__ import annotations

import pytest
from minicloud.services import placement_record, project, vm
from minicloud.services.context import Actor
from minicloud.services.view.project import Quota
from minicloud_core.model.errors import NotFoundError
from minicloud_core.scheduler.policy import BALANCED

from tests.server.world import ADMIN, START, World

MEMBER = Actor("ann", "member", "default")


def test_a_decision_is_listed_with_what_was_asked(world: World) -> None:
    world.host("node1", labels={"disk": "nvme"})
    made = world.create("db1", cpu=2, ram="1G", scheduling={"host_labels": {"disk": "nvme"}, "group": "db"})
    (record,) = placement_record.list(world.ctx, ADMIN).items
    assert (record.vm, record.name, record.project, record.host) == (made.vm.id, "db1", "default", "node1")
    assert (record.at, record.ended_at) == (START, None)
    assert (record.policy, record.policy_version) == ("balanced", BALANCED.version)
    assert made.operation is not None
    assert record.operation == made.operation.id
    assert made.placement is not None
    assert record.request == made.placement["request"]
    assert (record.request["cpu"], record.request["ram_mib"]) == (2, 1024)
    assert (record.request["host_labels"], record.request["group"]) == ({"disk": "nvme"}, "db")


def test_pages_go_back_in_time(world: World) -> None:
    world.host("node1")
    for name in ("a", "b", "c"):
        world.create(name)
    first = placement_record.list(world.ctx, ADMIN, limit=2)
    assert [record.name for record in first.items] == ["c", "b"]
    second = placement_record.list(world.ctx, ADMIN, limit=2, cursor=first.next)
    assert ([record.name for record in second.items], second.next) == (["a"], None)


def test_a_deleted_vm_stays_on_record_with_its_end(world: World) -> None:
    world.host("node1")
    world.running()
    world.change("web01", "delete")
    at = world.clock.advance(60)
    world.carry_out("absent")
    (record,) = placement_record.list(world.ctx, ADMIN).items
    assert record.ended_at == at > record.at


def test_each_sees_the_record_of_its_own_project(world: World) -> None:
    world.host("node1")
    project.create(world.ctx, ADMIN, "shop", Quota())
    world.create("a")
    vm.create(world.ctx, ADMIN, world.spec("b"), project="shop")
    names = {
        who: [record.name for record in placement_record.list(world.ctx, actor, project=within).items]
        for who, actor, within in (("all", ADMIN, None), ("shop", ADMIN, "shop"), ("member", MEMBER, None))
    }
    assert names == {"all": ["b", "a"], "shop": ["b"], "member": ["a"]}
    with pytest.raises(NotFoundError):
        placement_record.list(world.ctx, MEMBER, project="shop")
