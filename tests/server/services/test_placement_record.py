"""The record of placements: every decision with what had been asked for, newest first, those without a host too."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud.services import placement, placement_record, project, vm
from minicloud.services.context import Actor
from minicloud.services.view.project import Quota
from minicloud_core.model.errors import NoCapacityError, NotFoundError
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
    assert (record.actor, record.request_id) == ("root", "req-1")
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


def refuse(world: World, name: str = "big", *, actor: Actor = ADMIN, project: str | None = None, **body: Any) -> None:
    with pytest.raises(NoCapacityError):
        vm.create(world.ctx, actor, world.spec(name, **{"ram": "1T", **body}), project=project)


def test_a_create_that_no_host_would_take_is_on_record(world: World) -> None:
    world.fleet("node1", "node2", ram_mib=4096)
    world.create("small", ram=64)
    refuse(world, cpu=2, ram="16G", scheduling={"group": "db"}, actor=Actor("ann", "member", "default", "t", "req-7"))
    record, _small = placement_record.list(world.ctx, ADMIN).items
    assert (record.name, record.project, record.actor, record.request_id) == ("big", "default", "ann", "req-7")
    assert (record.vm, record.operation, record.host, record.ended_at) == (None, None, None, None)
    assert (record.at, record.policy, record.policy_version) == (START, "balanced", BALANCED.version)
    assert (record.request["ram_mib"], record.request["group"]) == (16384, "db")
    assert "vm" not in record.request, "the id that it would have had is the next one's"
    decision = placement_record.get(world.ctx, ADMIN, record.id).decision
    assert [refusal["host"] for refusal in decision["refused"]] == ["node1", "node2"]
    assert decision["refused"][0]["reasons"][0]["rule"] == "memory"
    assert decision["remedies"][0]["text"].endswith("less memory")
    assert world.create("next", ram=64).vm.id == "vm-102"


def test_one_decision_tells_all_that_its_vm_does(world: World) -> None:
    world.host("node1")
    made = world.create("a")
    (record,) = placement_record.list(world.ctx, ADMIN).items
    told = placement_record.get(world.ctx, ADMIN, record.id)
    assert (told.vm, told.host, told.decision) == (made.vm.id, "node1", made.placement)
    with pytest.raises(NotFoundError):
        placement_record.get(world.ctx, ADMIN, record.id + 1)


def test_what_only_asks_leaves_no_record(world: World) -> None:
    world.host("node1")
    placement.decide(world.ctx, ADMIN, world.spec(ram="1T"))
    with pytest.raises(NoCapacityError):
        vm.create(world.ctx, ADMIN, world.spec(ram="1T"), dry_run=True)
    assert placement_record.list(world.ctx, ADMIN).items == ()


def test_the_record_is_asked_by_name_host_and_outcome(world: World) -> None:
    world.fleet("node1", "node2")
    world.create("a", host="node1")
    world.create("b", host="node2")
    refuse(world, "a2")

    def asked(**wanted: Any) -> list[str]:
        return [record.name for record in placement_record.list(world.ctx, ADMIN, **wanted).items]

    assert asked(refused=True) == ["a2"]
    assert asked(refused=False) == ["b", "a"]
    assert asked(host="node1") == ["a"]
    assert asked(name="b") == ["b"]
    assert asked(name="a2", refused=True) == ["a2"]
    assert asked(name="b", host="node1") == []


def test_of_each_project_the_latest_refusals_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement_record, "REFUSALS_KEPT", 3)
    world.host("node1")
    project.create(world.ctx, ADMIN, "shop", Quota())
    world.create("placed", ram=64)
    refuse(world, "other", project="shop")
    for number in range(5):
        refuse(world, f"big{number}")
    names = [record.name for record in placement_record.list(world.ctx, ADMIN).items]
    assert names == ["big4", "big3", "big2", "other", "placed"]


def test_a_crowd_of_refusals_is_pruned_as_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from minicloud.services import admission
    from minicloud.services.vm_wish import VmWish

    monkeypatch.setattr(placement_record, "REFUSALS_KEPT", 6)
    world.host("node1")
    for start in (0, 4):
        wishes = [VmWish(ADMIN, world.spec(f"big{start + n}", ram="1T"), "default") for n in range(4)]
        answers = admission.admit(world.ctx, wishes)
        assert all(isinstance(answer, NoCapacityError) for answer in answers)
    assert [record.name for record in placement_record.list(world.ctx, ADMIN).items] == [
        f"big{number}" for number in range(7, 1, -1)
    ]


def test_decisions_of_one_turn_are_in_the_order_in_which_they_were_made(world: World) -> None:
    from minicloud.services import admission
    from minicloud.services.vm_wish import VmWish

    world.host("node1")
    sizes = {"a": 64, "b": "1T", "c": 64}
    admission.admit(world.ctx, [VmWish(ADMIN, world.spec(name, ram=ram), "default") for name, ram in sizes.items()])
    assert [record.name for record in placement_record.list(world.ctx, ADMIN).items] == ["c", "b", "a"]


def test_a_refusal_is_its_projects_own(world: World) -> None:
    world.host("node1")
    project.create(world.ctx, ADMIN, "shop", Quota())
    refuse(world, project="shop")
    assert placement_record.list(world.ctx, MEMBER).items == ()
    (record,) = placement_record.list(world.ctx, ADMIN, project="shop").items
    with pytest.raises(NotFoundError):
        placement_record.get(world.ctx, MEMBER, record.id)
