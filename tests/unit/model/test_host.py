"""When a host failed, as far as it is remembered."""

from __future__ import annotations

from minicloud_core.model.host import FAILURES_KEPT, FAILURES_MAX, HOST_TRANSITIONS, failures_after


def test_silence_is_the_failure_and_what_follows_is_the_same_one() -> None:
    known: list[float] = []
    for at, state in enumerate(("ready", "suspect", "fencing", "down", "registering", "ready", "suspect", "ready")):
        known = failures_after(known, state, float(at))
    assert known == [1.0, 6.0]
    assert "suspect" in HOST_TRANSITIONS.states


def test_what_is_long_ago_is_forgotten() -> None:
    assert failures_after([0.0, 5.0], "ready", FAILURES_KEPT) == [5.0]


def test_a_host_that_flaps_is_not_remembered_without_end() -> None:
    known: list[float] = []
    for at in range(100):
        known = failures_after(known, "suspect", float(at))
    assert known == [float(at) for at in range(100 - FAILURES_MAX, 100)]
