"""What a reservation is asked for with, and the states it may be in."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud_core.model.errors import InputError, TransitionError
from minicloud_core.model.reservation import (
    RESERVATION_TRANSITIONS,
    TTL_DEFAULT,
    TTL_MAX,
    parse_reservation,
    parse_reservations,
)


def problems(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InputError) as refused:
        parse_reservation(body)
    return {one.field: one.message for one in refused.value.problems}


def test_nothing_said_is_a_vm_of_the_defaults_for_five_minutes() -> None:
    spec = parse_reservation({})
    assert (spec.name, spec.ttl) == (None, TTL_DEFAULT)
    assert (spec.needs.cpu, spec.needs.ram_mib, spec.needs.image) == (1, 512, "tiny")


def test_needs_are_read_as_those_of_a_vm() -> None:
    spec = parse_reservation({"name": "db01", "cpu": 4, "ram": "8G", "disks": ["10G"], "ttl": TTL_MAX})
    assert (spec.name, spec.needs.name, spec.ttl) == ("db01", "db01", TTL_MAX)
    assert (spec.needs.cpu, spec.needs.ram_mib, spec.needs.disk_bytes) == (4, 8192, 10 * 1024**3)


@pytest.mark.parametrize("ttl", [0, -1, TTL_MAX + 1, 1.5, "60", True])
def test_a_time_to_hold_room_for_is_whole_seconds_up_to_a_week(ttl: object) -> None:
    assert problems({"ttl": ttl}).keys() == {"ttl"}


def test_all_that_is_wrong_is_named_at_once() -> None:
    wrong = {"name": "Web_1", "cpu": 0, "ttl": 0, "cloud_init": {"user_data": "x"}, "colour": "red"}
    assert problems(wrong).keys() == {"name", "cpu", "ttl", "cloud_init", "colour"}


def test_of_a_list_each_problem_says_where() -> None:
    with pytest.raises(InputError) as refused:
        parse_reservations([{"name": "a"}, {"cpu": "x"}, {"ttl": 0}])
    assert [one.field for one in refused.value.problems] == ["items.1.cpu", "items.2.ttl"]
    with pytest.raises(InputError, match="a is named twice"):
        parse_reservations([{"name": "a"}, {"name": "b"}, {"name": "a"}])
    assert [one.name for one in parse_reservations([{}, {"name": "a"}, {}])] == [None, "a", None]


def test_what_has_ended_stays_so() -> None:
    for end in ("used", "released", "expired"):
        assert RESERVATION_TRANSITIONS.check("held", end) == end
        for state in RESERVATION_TRANSITIONS.states:
            with pytest.raises(TransitionError):
                RESERVATION_TRANSITIONS.check(end, state)
