"""Hosts by kind: what is asked of a thing is asked once for each kind of host."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler import kinds
from minicloud_core.scheduler.kinds import Kinds

names = st.frozensets(st.sampled_from("abcd"))


@given(st.lists(names, max_size=20), st.lists(names, min_size=1, max_size=8))
def test_each_host_is_judged_by_its_own_thing(things: list[frozenset[str]], wanted: list[frozenset[str]]) -> None:
    found: Kinds[frozenset[str], frozenset[str]] = Kinds(things, lambda thing, asked: asked <= thing)
    # Asked twice, the second time from what was kept.
    for asked in [*wanted, *wanted]:
        assert found.taking(asked).tolist() == [asked <= thing for thing in things]


def test_alike_hosts_are_asked_once() -> None:
    asked: list[tuple[str, str]] = []

    def takes(thing: str, wanted: str) -> bool:
        asked.append((thing, wanted))
        return thing == wanted

    found = Kinds(["x", "y", "x", "x"], takes)
    assert len(found) == 2
    assert found.taking("x").tolist() == [True, False, True, True]
    assert found.taking("x").tolist() == [True, False, True, True]
    assert asked == [("x", "x"), ("y", "x")]


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    found = Kinds([0, 1], lambda thing, wanted: thing == wanted % 2)
    for wanted in range(3 * kinds._KEPT):
        assert found.taking(wanted).tolist() == [wanted % 2 == 0, wanted % 2 == 1]
    assert len(found._answers) == kinds._KEPT
    assert found.taking(0).tolist() == [True, False]
