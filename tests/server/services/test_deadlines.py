"""Deadlines of reservations: each lapses once, in time, and is known to have lapsed until somebody writes it down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud.services.deadlines import Deadlines

START = datetime(2026, 11, 21, tzinfo=UTC)
HOSTS = st.sampled_from(["node1", "node2"])
NAMES = st.sampled_from(["rsv-a", "rsv-b", "rsv-c"])
SECONDS = st.integers(0, 5)


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def test_one_lapses_when_its_moment_has_come_and_not_before() -> None:
    deadlines = Deadlines()
    deadlines.note("rsv-a", "node1", at(2))
    assert [*deadlines.pass_to(at(1))] == []
    assert [*deadlines.pass_to(at(2))] == ["rsv-a"]
    assert [*deadlines.pass_to(at(9))] == []
    assert deadlines.lapsed(["node1", "node2"]) == ["rsv-a"]
    assert deadlines.lapsed(["node2"]) == []
    deadlines.forget("rsv-a", "node1")
    assert deadlines.lapsed(["node1"]) == []


def test_one_that_ended_before_its_time_does_not_lapse() -> None:
    deadlines = Deadlines()
    deadlines.note("rsv-a", "node1", at(2))
    deadlines.forget("rsv-a", "node1")
    assert [*deadlines.pass_to(at(9))] == []


def test_a_host_that_is_read_again_is_as_it_was_read() -> None:
    deadlines = Deadlines()
    deadlines.note("rsv-a", "node1", at(2))
    deadlines.note("rsv-b", "node1", at(3))
    assert [*deadlines.pass_to(at(2))] == ["rsv-a"]
    deadlines.renew("node1", {"rsv-a": at(2), "rsv-c": at(4)})
    assert [*deadlines.pass_to(at(2))] == ["rsv-a"]
    assert [*deadlines.pass_to(at(9))] == ["rsv-c"]
    assert deadlines.lapsed(["node1"]) == ["rsv-a", "rsv-c"]


def test_those_that_ended_early_are_not_remembered_for_long() -> None:
    deadlines = Deadlines()
    deadlines.note("rsv-last", "node1", at(9))
    for number in range(1000):
        deadlines.note(f"rsv-{number}", "node1", at(5))
        deadlines.forget(f"rsv-{number}", "node1")
    assert len(deadlines._queue) < 200
    assert [*deadlines.pass_to(at(9))] == ["rsv-last"]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), NAMES, HOSTS, SECONDS),
        st.tuples(st.just("forget"), NAMES),
        st.tuples(st.just("pass"), SECONDS),
        st.tuples(st.just("read"), HOSTS),
    ),
    max_size=30,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_what_counts_is_what_is_held_and_not_over(steps: list[tuple[object, ...]]) -> None:
    """Against a plain list of what is held: whoever counts what lapsed as gone counts what he should."""
    deadlines, now = Deadlines(), 0
    held: dict[str, tuple[str, int]] = {}
    counted: set[str] = set()
    for step in steps:
        match step:
            case ("note", str(name), str(host), int(seconds)) if name not in held:
                held[name] = host, now + seconds
                counted.add(name)
                deadlines.note(name, host, at(now + seconds))
            case ("forget", str(name)) if name in held:
                host, _until = held.pop(name)
                counted.discard(name)
                deadlines.forget(name, host)
            case ("pass", int(seconds)):
                now += seconds
            case ("read", str(host)):
                on = {name: at(until) for name, (place, until) in held.items() if place == host}
                counted |= on.keys()
                deadlines.renew(host, on)
        for name in deadlines.pass_to(at(now)):
            assert name in counted, "it lapsed twice"
            counted.remove(name)
        assert counted == {name for name, (_host, until) in held.items() if until > now}
        for host in ("node1", "node2"):
            over = sorted(name for name, (place, until) in held.items() if place == host and until <= now)
            assert deadlines.lapsed([host]) == over
