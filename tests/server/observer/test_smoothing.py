"""CPU use as placement sees it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud.observer.smoothing import TIME_CONSTANT, CpuTimes, Load

SECOND = 10**9


def readings(*uses: float, every: float = 5.0) -> Load:
    """The load after intervals in which so much of one CPU was in use."""
    load, idle, total = Load().after(CpuTimes(0, 0, 0)), 0, 0
    for number, use in enumerate(uses, 1):
        total += int(every * SECOND)
        idle += int(every * SECOND * (1 - use))
        load = load.after(CpuTimes(number * every, idle, total))
    return load


def test_one_reading_tells_nothing() -> None:
    assert Load().after(CpuTimes(0, 5, 10)).value is None


def test_the_first_interval_is_taken_as_it_is() -> None:
    assert readings(0.25).value == pytest.approx(0.25)


def test_a_blink_of_load_counts_little_and_a_lasting_one_wholly() -> None:
    assert readings(0.0, 1.0).value == pytest.approx(0.154, abs=0.01)
    after_one_constant = readings(0.0, *[1.0] * int(TIME_CONSTANT / 5)).value
    assert after_one_constant == pytest.approx(0.632, abs=0.01)
    assert readings(0.0, *[1.0] * 60).value == pytest.approx(1.0, abs=0.01)


def test_how_often_it_is_read_makes_no_difference() -> None:
    slow, fast = readings(0.0, 1.0, every=10.0).value, readings(0.0, 0.0, 1.0, 1.0, every=5.0).value
    assert slow == pytest.approx(fast, abs=0.001)


def test_a_reading_that_follows_too_closely_changes_nothing() -> None:
    load = readings(0.5)
    assert load.after(CpuTimes(5.2, 10**12, 10**12)) == load


def test_counters_that_went_back_begin_anew() -> None:
    load = readings(0.5, 0.5).after(CpuTimes(60, 0, 10))
    assert load.value == pytest.approx(0.5)
    assert load.after(CpuTimes(65, 10, 20)).value == pytest.approx(0.423, abs=0.01)


@given(st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 10**15), st.floats(0.1, 600)), max_size=20))
def test_whatever_is_read_the_load_stays_between_nothing_and_all(read: list[tuple[int, int, float]]) -> None:
    load, at = Load(), 0.0
    for idle, total, elapsed in read:
        at += elapsed
        load = load.after(CpuTimes(at, idle, total))
        assert load.value is None or 0.0 <= load.value <= 1.0
