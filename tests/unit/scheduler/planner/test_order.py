"""Moves in an order in which each finds its room."""

from __future__ import annotations

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.planner.draft import Draft
from minicloud_core.scheduler.planner.order import put_in_order

from tests.unit.scheduler.planner.referee import NOW
from tests.unit.scheduler.planner.test_drain import POLICY, fleet_of, host, vm


def ordered(fleet: Fleet, *targets: tuple[str, str]) -> tuple[list[tuple[str, str]], list[str]]:
    draft = Draft(fleet, POLICY, NOW)
    stuck = put_in_order(draft, list(targets))
    return [(move.vm, move.target) for move in draft.moves], stuck


def test_who_waits_for_room_goes_after_who_makes_it() -> None:
    fleet = fleet_of(*(host(name) for name in "abc"), v1=("a", vm(12)), v2=("b", vm(12)))
    assert ordered(fleet, ("v1", "b"), ("v2", "c")) == ([("v2", "c"), ("v1", "b")], [])


def test_a_circle_is_broken_by_way_of_a_third_host() -> None:
    fleet = fleet_of(*(host(name) for name in "abc"), v1=("a", vm(12)), v2=("b", vm(10)))
    assert ordered(fleet, ("v1", "b"), ("v2", "a")) == ([("v1", "c"), ("v2", "a"), ("v1", "b")], [])


def test_the_one_that_fits_a_third_host_takes_the_detour() -> None:
    fleet = fleet_of(host("a"), host("b"), host("c", 10), v1=("a", vm(12)), v2=("b", vm(10)))
    assert ordered(fleet, ("v1", "b"), ("v2", "a")) == ([("v2", "c"), ("v1", "b"), ("v2", "a")], [])


def test_a_circle_that_no_third_host_breaks_is_told() -> None:
    fleet = fleet_of(host("a"), host("b"), host("c", 8), v1=("a", vm(12)), v2=("b", vm(10)), v3=("c", vm(1)))
    assert ordered(fleet, ("v1", "b"), ("v2", "a")) == ([], ["v1", "v2"])


def test_nothing_to_do_is_done() -> None:
    assert ordered(fleet_of(host("a"))) == ([], [])
