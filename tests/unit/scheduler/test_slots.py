"""Slots: how many VMs of each shape still fit where, and what a VM would cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.arrays import ALL
from minicloud_core.scheduler.board import Board
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.mix import RECENT
from minicloud_core.scheduler.request import Request, Shape
from minicloud_core.scheduler.slots import MOST, Room, Shapes, SlotBook

from tests.unit.scheduler import reference

GIB = 1024
AS_IS = Limits(cpu_overcommit=1.0, ram_reserved_mib=0)
SMALL, LARGE = Request(1, GIB), Request(8, 8 * GIB)


def host(name: str, cpu: float, gib: float, *nodes: tuple[float, float]) -> HostView:
    numa = tuple(NumaNode(node_cpu, int(node_gib * GIB)) for node_cpu, node_gib in nodes)
    return HostView(name, cpu, int(gib * GIB), numa=numa)


def book(*hosts: HostView, lately: tuple[Request, ...]) -> SlotBook:
    fleet = Fleet(hosts)
    for turn in range(RECENT):
        fleet.mix.note(lately[turn % len(lately)])
    slots = SlotBook(Board(fleet, AS_IS), fleet.mix)
    slots.refresh()
    return slots


def count(shape: Shape, *hosts: HostView) -> list[int]:
    room = Room.of(Board(Fleet(hosts), AS_IS), ALL)
    return [slots for (slots,) in room.slots(Shapes((shape,))).tolist()]


def test_what_runs_out_first_bounds_the_slots() -> None:
    assert count((2.0, 2 * GIB, 0), host("a", 9, 64), host("b", 64, 7), host("c", 1, 64)) == [4, 3, 0]


def test_parts_lie_on_different_nodes() -> None:
    # 7 CPUs free on one node are of no use without as many on the other.
    assert count((4.0, GIB, 2), host("a", 16, 64, (7, 32), (2, 32)), host("b", 16, 64, (4, 32), (5, 32))) == [1, 2]


def test_a_shape_for_more_nodes_than_there_are_fits_nowhere() -> None:
    assert count((3.0, GIB, 3), host("a", 16, 64, (8, 32), (8, 32)), host("b", 8, 64, (8, 64))) == [0, 0]


def test_a_host_with_fewer_nodes_has_nothing_on_those_it_lacks() -> None:
    three = host("b", 12, 48, (4, 16), (4, 16), (4, 16))
    assert count((2.0, GIB, 2), host("a", 8, 32, (8, 32)), three) == [0, 6]
    # Also where the shape is nothing at all.
    assert count((0.0, 0, 2), host("a", 8, 32, (8, 32)), three) == [0, MOST]


def test_a_host_that_tells_of_no_nodes_is_counted_whole_in_any_company() -> None:
    silent, telling = host("a", 8, 32), host("b", 8, 32, (4, 16), (4, 16))
    assert count((3.0, 3 * GIB, 1), silent) == [2]
    assert count((3.0, 3 * GIB, 1), silent, telling) == [2, 2]
    assert count((8.0, 8 * GIB, 1), silent, telling) == [1, 0]


def test_a_host_that_holds_too_much_has_no_slots() -> None:
    full = HostView("a", 4, 4096, allocated_cpu=9, allocated_ram_mib=9000)
    assert count((1.0, 64, 0), full) == [0]


def test_tenths_of_a_cpu_fill_a_host_to_the_last() -> None:
    # In floating point 0.3 / 0.1 is a little less than 3.
    assert count((0.1, 64, 0), HostView("a", 1, 65536, allocated_cpu=0.7)) == [3]


parts = st.tuples(st.integers(0, 4), st.integers(0, 4))


@settings(deadline=None)
@given(st.lists(parts, min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 12), st.integers(0, 12))
def test_slots_are_as_many_as_trying_every_choice_of_nodes_finds(
    nodes: list[tuple[int, int]], numa: int, cpu: int, gib: int
) -> None:
    view = host("a", cpu, gib, *nodes)
    shape: Shape = (float(numa), numa * GIB, numa)
    room = reference.Machine(view, AS_IS).room()
    assert count(shape, view) == [reference.slots_by_search(room, shape)] == [reference.slots(room, shape)]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(1, 3))
def test_the_nodes_alone_bound_the_slots_of_a_wide_host(each: list[int], numa: int) -> None:
    view = host("a", 64, 64, *((cpu, 16) for cpu in each))
    shape: Shape = (float(numa), numa * 64, numa)
    assert count(shape, view) == [reference.slots_by_search(reference.Machine(view, AS_IS).room(), shape)]


def test_a_vm_costs_the_slots_that_its_remains_are_too_small_for() -> None:
    slots = book(host("a", 8, 8), host("b", 5, 8), lately=(Request(2, 2 * GIB),))
    assert slots.lost(SMALL, ALL).tolist() == [1.0, 0.0]


def test_a_scarce_slot_weighs_more_than_one_of_many() -> None:
    slots = book(host("a", 8, 8), host("b", 7, 7), lately=(SMALL, LARGE))
    # Left are 15 small ones, which count as 16, and 1 large one, which counts as 2; both are asked for alike.
    small, large = 1 / 16**1.5, 1 / 2**1.5
    assert slots.lost(SMALL, ALL).tolist() == pytest.approx([1.0, small / (small + large)])


def test_a_shape_that_fits_nowhere_any_more_costs_nothing() -> None:
    slots = book(host("a", 4, 4), lately=(SMALL, LARGE))
    assert slots.lost(SMALL, ALL).tolist() == [1.0]


def test_nothing_is_lost_where_nothing_fits() -> None:
    slots = book(host("a", 0.5, 1), lately=(SMALL,))
    assert slots.lost(SMALL, ALL).tolist() == [0.0]
    empty = book(lately=(SMALL,))
    assert empty.lost(SMALL, ALL).tolist() == []


def test_the_cheapest_nodes_count() -> None:
    # On the first node a large slot would be lost, on the second none.
    slots = book(host("a", 13, 13, (8, 8), (5, 5)), lately=(Request(8, 8 * GIB, numa=1),))
    one = Request(1, GIB, numa=1)
    assert slots.lost(one, ALL).tolist() == [0.0]
    assert slots.nodes(one, 0) == (1,)


def test_of_nodes_that_cost_alike_the_fuller_then_the_first_are_taken() -> None:
    far = Request(64, GIB, numa=1)
    one, two = Request(1, GIB, numa=1), Request(2, GIB, numa=2)
    fuller = book(host("a", 15, 24, (6, 8), (4, 8), (5, 8)), lately=(far,))
    assert fuller.nodes(one, 0) == (1,)
    assert fuller.nodes(two, 0) == (1, 2)
    alike = book(host("a", 12, 24, (4, 8), (4, 8), (4, 8)), lately=(far,))
    assert alike.nodes(one, 0) == (0,)
    assert alike.nodes(two, 0) == (0, 1)


def test_nodes_without_room_are_not_taken_however_little_it_would_cost() -> None:
    slots = book(host("a", 16, 16, (1, 8), (8, 0.5), (8, 8)), lately=(Request(2, GIB, numa=1),))
    assert slots.nodes(Request(2, GIB, numa=1), 0) == (2,)
    with pytest.raises(ValueError, match="a has no 2 NUMA nodes with room"):
        slots.nodes(Request(4, 2 * GIB, numa=2), 0)


def test_a_vm_that_does_not_care_lies_on_no_nodes() -> None:
    assert book(host("a", 8, 8, (4, 4), (4, 4)), lately=(SMALL,)).nodes(SMALL, 0) == ()


def test_the_version_tells_when_a_weight_is_another() -> None:
    fleet = Fleet([host("a", 16, 16)])
    for turn in range(RECENT):
        fleet.mix.note((SMALL, LARGE)[turn % 2])
    board = Board(fleet, AS_IS)
    slots = SlotBook(board, fleet.mix)
    slots.refresh()
    seen = slots.version

    def after_adding(vm: str, request: Request) -> int:
        fleet.add(vm, "a", request)
        board.refresh()
        slots.refresh()
        return slots.version - seen

    # 16 small ones count as 32, 15 as 16; 2 large ones as 4, 1 as 2.
    assert after_adding("vm-1", Request(0, 0)) == 0
    assert after_adding("vm-2", SMALL) == 1
    # From 15 to 14 nothing counts as anything else.
    assert after_adding("vm-3", SMALL) == 1
    assert slots.slots.tolist() == [[14, 1]]
    fleet.remove("vm-2")
    fleet.remove("vm-3")
    board.refresh()
    slots.refresh()
    assert slots.slots.tolist() == [[16, 2]]
    assert slots.version == seen + 2
