"""Moves tried and taken back."""

from __future__ import annotations

from minicloud_core.scheduler.planner.draft import Draft

from tests.unit.scheduler.planner.drawn import node_host
from tests.unit.scheduler.planner.referee import NOW, homes
from tests.unit.scheduler.planner.test_drain import POLICY, fleet_of, host, vm


def test_moves_that_are_taken_back_leave_no_trace() -> None:
    fleet = fleet_of(host("a"), host("b"), host("c"), v1=("a", vm(2)), v2=("a", vm(3)))
    draft = Draft(fleet, POLICY, NOW)
    draft.move("v1", "b")
    draft.move("v2", "b")
    draft.move("v1", "c")
    assert (draft.vms_on("b"), draft.vms_on("c")) == (["v2"], ["v1"])
    draft.undo(1)
    assert [(move.vm, move.target) for move in draft.moves] == [("v1", "b")]
    assert homes(draft.fleet) == {"v1": "b", "v2": "a"}
    draft.undo(0)
    assert homes(draft.fleet) == homes(fleet)
    assert draft.fleet.ram_used.tolist() == fleet.ram_used.tolist()
    assert draft.vms_on("a") == ["v1", "v2"]


def test_a_vm_comes_back_to_the_numa_nodes_that_it_left() -> None:
    fleet = fleet_of(node_host("a", 3), node_host("b"))
    fleet.add("v", "a", vm(2), (2,))
    draft = Draft(fleet, POLICY, NOW)
    draft.move("v", "b")
    draft.undo(0)
    assert draft.fleet.nodes_of("v") == (2,)
    assert draft.fleet.node_ram_used.tolist() == fleet.node_ram_used.tolist()


def test_who_was_lost_is_nowhere_until_it_is_placed_and_again_when_that_is_taken_back() -> None:
    draft = Draft(fleet_of(host("a"), host("b"), v=("a", vm(2))), POLICY, NOW)
    draft.lose("v")
    draft.put_back("v")
    assert (draft.where("v"), draft.fleet.where("v"), draft.vms_on("a")) == ("a", None, [])
    draft.move("v", "b")
    assert draft.fleet.where("v") == "b"
    with draft.without("v"):
        assert draft.fleet.where("v") is None
    assert draft.fleet.where("v") == "b"
    draft.undo(0)
    assert (draft.where("v"), draft.fleet.where("v"), draft.moves) == ("a", None, [])


def test_it_is_a_copy() -> None:
    fleet = fleet_of(host("a"), host("b"), v=("a", vm(2)))
    draft = Draft(fleet, POLICY, NOW)
    draft.move("v", "b")
    draft.fleet.close("a", "down")
    assert fleet.where("v") == "a"
    assert not fleet.cordoned.any()
    assert fleet.hosts[0].state == "ready"
