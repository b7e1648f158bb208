"""What guests ask of their host, measured from counters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud.observer.demand import LATENCY_KEPT, Counters, Demand, memory_in_use, read_counters
from minicloud.services.view.observation import Measurements

SECOND = 10**9
# virConnectGetAllDomainStats of a running guest with a disk and two cards.
RUNNING: dict[str, Any] = {
    "state.state": 1,
    "vcpu.current": 2,
    "vcpu.maximum": 4,
    "vcpu.0.time": 700,
    "vcpu.0.delay": 30,
    "vcpu.1.time": 800,
    "vcpu.1.delay": 12,
    "net.count": 2,
    "net.0.rx.bytes": 1000,
    "net.0.tx.bytes": 10,
    "net.1.rx.bytes": 1,
    "net.1.tx.bytes": 2,
    "block.count": 2,
    "block.0.name": "vda",
    "block.0.rd.reqs": 5,
    "block.0.rd.times": 50,
    "block.0.wr.reqs": 7,
    "block.0.wr.times": 70,
    "block.0.fl.reqs": 1000,
    "block.0.fl.times": 1000,
    "block.1.name": "vdz",
    "block.1.rd.reqs": 1,
    "block.1.rd.times": 1,
}


def test_counters_are_those_of_all_parts_of_a_guest() -> None:
    assert read_counters(RUNNING) == Counters(42, 13, 121, 1001, 12)


def test_a_host_that_tells_no_waiting_tells_the_rest() -> None:
    told = {key: value for key, value in RUNNING.items() if not key.endswith("delay")}
    assert read_counters(told) == Counters(None, 13, 121, 1001, 12)


@pytest.mark.parametrize(
    "statistics",
    [
        {"state.state": 5, "vcpu.maximum": 1, "block.count": 1, "block.0.name": "vda"},
        {"state.state": 1},
        {key: value for key, value in RUNNING.items() if ".rd." not in key and ".wr." not in key},
    ],
    ids=["stopped", "monitor busy", "disks not told"],
)
def test_a_guest_that_tells_too_little_counts_for_nothing(statistics: dict[str, Any]) -> None:
    assert read_counters(statistics) is None


def measured(*readings: dict[str, Counters], every: float = 5.0, memory: float | None = 0.5) -> Measurements:
    demand = Demand()
    for number, counters in enumerate(readings):
        demand = demand.after(number * every, counters, memory=memory, threads=4)
    return demand.measured


@pytest.mark.parametrize(
    ("told", "set_aside_mib", "use"),
    [
        ({"total": 8192, "free": 1024, "buffers": 1024, "cached": 2048}, 0, 0.5),
        ({"total": 8192, "free": 2048}, 4, 0.5),
        ({"total": 8192, "free": 4096}, 4, 0.0),
        ({"total": 8192, "free": 9000}, 0, 0.0),
        ({"total": 8192}, 0, 1.0),
        ({"free": 1024}, 0, None),
        ({"total": 8192, "free": 0}, 8, None),
    ],
)
def test_memory_that_could_be_given_up_at_once_is_not_in_use(
    told: dict[str, int], set_aside_mib: int, use: float | None
) -> None:
    assert memory_in_use(told, set_aside_mib) == use


def test_one_reading_tells_of_memory_alone() -> None:
    assert measured({"a": Counters(1, 1, 1, 1, 1)}) == Measurements(memory=0.5)


def test_what_was_used_between_two_readings_is_measured() -> None:
    before = {"a": Counters(0, 100, 7 * SECOND, 10**9, 0), "b": Counters(5 * SECOND, 0, 0, 0, 0)}
    after = {
        "a": Counters(SECOND, 140, 7 * SECOND + 60 * 10**6, 10**9 + 10**6, 5 * 10**6),
        "b": Counters(9 * SECOND, 20, 60 * 10**6, 0, 10**6 // 4),
    }
    seen = measured(before, after)
    assert seen.pressure == pytest.approx(5 / (5 * 4))
    assert seen.io_latency_ms == pytest.approx(2.0)
    assert seen.network_mbps == pytest.approx(5.25 * 8 / 5)
    assert seen.memory == 0.5


def test_waiting_counts_for_all_at_most() -> None:
    assert measured({"a": Counters(0)}, {"a": Counters(1000 * SECOND)}).pressure == 1.0


def test_a_host_without_guests_has_nobody_who_waits_or_sends() -> None:
    assert measured({}, {}) == Measurements(memory=0.5, pressure=0.0, network_mbps=0.0)


def test_where_waiting_is_not_told_it_is_not_known() -> None:
    counters = Counters(None, 1, 1, 1, 1)
    assert measured({"a": counters}, {"a": counters}).pressure is None
    assert measured({"a": counters, "b": Counters(0)}, {"a": counters, "b": Counters(SECOND)}).pressure == 0.05


def test_guests_that_came_or_started_anew_count_from_the_next_reading_on() -> None:
    first, second = (
        {"a": Counters(0, 0, 0, 10**9, 0)},
        {"a": Counters(0, 0, 0, 10**6, 0), "b": Counters(0, 0, 0, 10**9)},
    )
    assert measured(first, second).network_mbps == 0.0
    third = {"a": Counters(0, 0, 0, 2 * 10**6, 0), "b": Counters(0, 0, 0, 10**9)}
    seen = measured(first, second, third).network_mbps
    assert seen is not None
    assert 0 < seen < 1.6


def test_a_reading_that_follows_too_closely_changes_nothing() -> None:
    demand = Demand().after(0, {}, memory=0.5, threads=1)
    assert demand.after(0.5, {"a": Counters(9)}, memory=0.9, threads=1) is demand


def test_memory_is_smoothed_and_forgotten_when_it_is_not_told() -> None:
    demand = Demand().after(0, {}, memory=0.0, threads=1).after(30, {}, memory=1.0, threads=1)
    assert demand.measured.memory == pytest.approx(0.632, abs=0.01)
    assert demand.after(35, {}, memory=None, threads=1).measured.memory is None


def test_the_latency_of_idle_disks_is_what_it_was_until_it_is_too_old() -> None:
    slow = Counters(0, 10, 10 * 30 * 10**6)
    demand = Demand().after(0, {"a": Counters()}, memory=None, threads=1).after(5, {"a": slow}, memory=None, threads=1)
    assert demand.measured.io_latency_ms == pytest.approx(30.0)
    idle = demand.after(5 + LATENCY_KEPT, {"a": slow}, memory=None, threads=1)
    assert idle.measured.io_latency_ms == pytest.approx(30.0)
    assert idle.after(7 + LATENCY_KEPT, {"a": slow}, memory=None, threads=1).measured.io_latency_ms is None


figures = st.integers(0, 10**15)
counters = st.builds(Counters, st.none() | figures, figures, figures, figures, figures)


@given(
    st.lists(
        st.tuples(
            st.floats(0.1, 600), st.dictionaries(st.sampled_from("abc"), counters), st.none() | st.floats(0.0, 1.0)
        ),
        max_size=12,
    )
)
def test_whatever_is_read_what_is_measured_makes_sense(
    read: list[tuple[float, dict[str, Counters], float | None]],
) -> None:
    demand, at = Demand(), 0.0
    for elapsed, told, memory in read:
        at += elapsed
        demand = demand.after(at, told, memory=memory, threads=3)
        seen = demand.measured
        assert seen.memory is None or 0.0 <= seen.memory <= 1.0
        assert seen.pressure is None or 0.0 <= seen.pressure <= 1.0
        assert seen.network_mbps is None or seen.network_mbps >= 0.0
        assert seen.io_latency_ms is None or seen.io_latency_ms >= 0.0


@given(st.lists(counters, max_size=4))
def test_what_several_guests_used_is_what_each_used(several: list[Counters]) -> None:
    nothing = Counters(waited_ns=None)
    total = sum(several, start=nothing)
    assert total.requests == sum(one.requests for one in several)
    told = [one.waited_ns for one in several if one.waited_ns is not None]
    assert total.waited_ns == (sum(told) if told else None)
    assert total.since(total) == replace(nothing, waited_ns=None if total.waited_ns is None else 0)
