"""Each preference about what was measured of a host, what it has and what it draws, by example."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler.ageing import HALF_LIFE, HALVINGS
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, Power
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request

NOW = 1_000_000.0
HOST = HostView("a", 8, 16384)
REQUEST = Request(2, 2048)


def value(name: str, host: HostView, request: Request = REQUEST, *, now: float = NOW) -> float:
    """What one scorer, by itself, says of one host."""
    policy = Policy("one", weights={name: 1.0}, limits=Limits(cpu_overcommit=1.0))
    return place(Fleet([host]), request, policy, now=now).accepted[0].parts[0].value


def test_the_busiest_part_says_how_busy_a_host_is() -> None:
    measured = replace(HOST, load=0.2, load_at=NOW)
    assert value("load", measured) == pytest.approx(0.8)
    assert value("load", replace(measured, load_memory=0.9)) == pytest.approx(0.1)
    assert value("load", replace(measured, load_disk=0.5, load_network=0.4)) == pytest.approx(0.5)
    assert value("load", replace(measured, load_pressure=0.75)) == pytest.approx(0.25)
    assert value("load", replace(HOST, load_network=0.3, load_at=NOW)) == pytest.approx(0.7)
    assert value("load", replace(measured, load_memory=0.9, load_at=NOW - 121)) == 0.5
    assert value("load", HOST) == 0.5


@pytest.mark.parametrize(("latency", "expected"), [(0.0, 1.0), (10.0, 0.5), (40.0, 0.2), (None, 0.5)])
def test_disks_that_answer_soon_are_preferred(latency: float | None, expected: float) -> None:
    assert value("io_latency", replace(HOST, io_latency_ms=latency, load_at=NOW)) == pytest.approx(expected)
    assert value("io_latency", replace(HOST, io_latency_ms=latency, load_at=NOW - 121)) == 0.5


@pytest.mark.parametrize(
    ("age", "expected"),
    [(-5, 1), (0, 1), (120, 1), (121, 0.5), (240, 0.5), (241, 0.25), (960, 0.125), (1920, 0.0625), (1921, 0)],
)
def test_a_measurement_is_worth_half_each_time_its_age_doubles(age: float, expected: float) -> None:
    assert value("staleness", replace(HOST, load=0.5, load_at=NOW - age)) == expected


def test_what_was_never_measured_is_as_stale_as_can_be() -> None:
    assert value("staleness", HOST) == 0


def test_a_kept_scheduler_sees_each_step() -> None:
    policy = Policy("wary", weights={"staleness": 1.0})
    scheduler = Scheduler(Fleet([replace(HOST, load=0.5, load_at=NOW)]), policy)
    ages = [0, 120, 120.5, 240, 240.5, 480.5, 960.5, 1920, 1920.5, 4000, 240]
    scores = [scheduler.choose_scored(REQUEST, now=NOW + age) for age in ages]
    expected = [1, 1, 0.5, 0.5, 0.25, 0.125, 0.0625, 0.0625, 0, 0, 0.5]
    assert scores == [("a", score) for score in expected]


def test_a_failure_counts_half_as_much_every_six_hours_and_is_forgotten() -> None:
    assert value("stability", HOST) == 1
    assert value("stability", replace(HOST, failures=(NOW,))) == 0.5
    assert value("stability", replace(HOST, failures=(NOW, NOW - 60))) == pytest.approx(1 / 3)
    assert value("stability", replace(HOST, failures=(NOW - 6 * 3600 - 1,))) == pytest.approx(1 / 1.5)
    assert value("stability", replace(HOST, failures=(NOW - HALVINGS * HALF_LIFE,))) < 1
    assert value("stability", replace(HOST, failures=(NOW - HALVINGS * HALF_LIFE - 1,))) == 1


def test_a_kept_scheduler_forgives() -> None:
    policy = Policy("kind", weights={"stability": 1.0})
    scheduler = Scheduler(Fleet([replace(HOST, failures=(NOW,)), replace(HOST, id="b")]), policy)
    assert scheduler.choose(REQUEST, now=NOW) == "b"
    assert scheduler.choose(REQUEST, now=NOW + HALVINGS * HALF_LIFE) == "b"
    assert scheduler.choose(REQUEST, now=NOW + HALVINGS * HALF_LIFE + 1) == "a"


def test_a_host_that_has_the_image_is_preferred() -> None:
    asked = replace(REQUEST, image="debian")
    assert value("image_locality", replace(HOST, images=frozenset({"debian", "fedora"})), asked) == 1
    assert value("image_locality", HOST, asked) == 0
    # Who starts from no image has no preference: its weight does not count.
    parts = place(Fleet([HOST]), REQUEST, Policy("one", weights={"image_locality": 1.0}), now=NOW).accepted[0].parts
    assert parts == ()


def test_energy_fills_hosts_that_are_on_the_efficient_ones_first() -> None:
    thrifty, hungry = Power(idle_w=60, max_w=140), Power(idle_w=60, max_w=380)
    on = replace(HOST, power=thrifty, allocated_cpu=1, allocated_ram_mib=512)
    on_hungry = replace(on, power=hungry)
    asleep = replace(HOST, power=thrifty)
    # 10 W and 40 W for each virtual CPU, against 2 W that are worth half; asleep, 60 W more for two of them.
    assert value("energy", on) == pytest.approx(2 / 12)
    assert value("energy", on_hungry) == pytest.approx(2 / 42)
    assert value("energy", asleep) == pytest.approx(2 / (2 + 10 + 30))


def test_energy_knows_what_a_host_usually_draws() -> None:
    usual = Power(idle_w=2 * HOST.cpu, max_w=6 * HOST.cpu)
    assert value("energy", HOST) == value("energy", replace(HOST, power=usual))


def test_energy_keeps_idle_hosts_asleep_until_others_are_full() -> None:
    hosts = [replace(HOST, id=f"node{number}", power=Power(50, 150)) for number in range(3)]
    scheduler = Scheduler(Fleet(hosts), Policy("green", weights={"energy": 1.0}, limits=Limits(1.0, 0)))
    went = []
    for number in range(9):
        host = scheduler.choose(Request(2, 1024), now=NOW)
        assert host is not None
        scheduler.take(f"vm-{number}", host, Request(2, 1024))
        went.append(host)
    assert went == ["node0"] * 4 + ["node1"] * 4 + ["node2"]
    for number in range(4):
        scheduler.fleet.remove(f"vm-{number}")
    # What is empty again may sleep again.
    assert scheduler.choose(Request(2, 1024), now=NOW) == "node2"


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6), st.floats(0.01, 64), st.booleans())
def test_watts_are_never_a_reason_to_leave_0_to_1(watts: list[float], cpu: float, on: bool) -> None:
    for idle, most in pairwise([*watts, watts[0]]):
        host = HostView("a", 64, 4096, power=Power(idle, most), allocated_ram_mib=64 if on else 0)
        assert 0 <= value("energy", host, Request(cpu, 64)) <= 1
