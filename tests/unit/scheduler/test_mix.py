"""The mix: what is asked for lately, and in which shares."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler.mix import EVERY, RECENT, SHAPES, USUAL, Mix
from minicloud_core.scheduler.request import Request, Shape


def note(mix: Mix, *requests: Request, times: int) -> None:
    for turn in range(times):
        mix.note(requests[turn % len(requests)])


def test_before_anything_was_asked_for_it_is_what_usually_is() -> None:
    assert dict(Mix().shares) == {shape: 1 / len(USUAL) for shape in USUAL}


def test_requests_are_counted_now_and_then() -> None:
    mix = Mix()
    before = mix.version
    note(mix, Request(3, 3000, numa=1), times=EVERY - 1)
    assert (mix.version, len(mix.shares)) == (before, len(USUAL))
    mix.note(Request(3, 3000, numa=1))
    assert (mix.version, len(mix.shares)) == (before + 1, len(USUAL) + 1)
    # 128 of them beside four of each of the twenty usual ones.
    assert dict(mix.shares)[3, 3000, 1] == pytest.approx(128 / 208)
    assert dict(mix.shares)[USUAL[0]] == pytest.approx(4 / 208)


def test_what_is_not_asked_for_any_more_is_forgotten() -> None:
    mix = Mix()
    note(mix, Request(3, 3000), Request(5, 5000), times=RECENT)
    assert dict(mix.shares) == {(3, 3000, 0): 0.5, (5, 5000, 0): 0.5}
    note(mix, Request(7, 7000), times=RECENT // 2)
    assert dict(mix.shares) == {(3, 3000, 0): 0.25, (5, 5000, 0): 0.25, (7, 7000, 0): 0.5}
    note(mix, Request(7, 7000), times=RECENT // 2)
    assert mix.shares == (((7, 7000, 0), 1.0),)


def test_disks_hosts_and_labels_do_not_make_another_shape() -> None:
    mix = Mix()
    alike = (Request(1, 64), Request(1.0, 64, 500), Request(1, 64, host="a"), Request(1, 64, labels={"a": "b"}))
    note(mix, *alike, times=RECENT)
    assert mix.shares == (((1, 64, 0), 1.0),)


def test_numa_makes_another_shape() -> None:
    mix = Mix()
    note(mix, Request(1, 64), Request(1, 64, numa=1), times=RECENT)
    assert {shape for shape, _share in mix.shares} == {(1, 64, 0), (1, 64, 1)}


def test_the_most_frequent_shapes_are_kept_and_their_shares_are_of_those() -> None:
    mix = Mix()
    rare = [Request(cpu, 64) for cpu in range(1, 65)]
    often = [Request(cpu, 128) for cpu in range(1, 17)]
    note(mix, *rare, *often * 4, times=RECENT)
    kept = dict(mix.shares)
    assert len(kept) == SHAPES
    assert all(kept[cpu, 128, 0] > kept[1, 64, 0] for cpu in range(1, 17))
    # Of those as frequent, the smallest shapes.
    assert sorted(cpu for cpu, ram, _numa in kept if ram == 64) == list(range(1, 17))
    assert sum(kept.values()) == pytest.approx(1.0)


def test_the_version_stays_while_the_shares_do() -> None:
    mix = Mix()
    note(mix, Request(1, 64), times=RECENT)
    before = mix.version
    note(mix, Request(1, 64), times=RECENT)
    assert mix.version == before
    note(mix, Request(2, 64), times=EVERY)
    assert mix.version == before + 1


def test_shares_that_another_shape_takes_over_are_others() -> None:
    mix = Mix()
    note(mix, Request(1, 64), times=RECENT)
    before = mix.version
    # Counted only once all are others.
    for _turn in range(RECENT):
        mix.note(Request(2, 64))
    assert mix.version > before
    assert mix.shares == (((2, 64, 0), 1.0),)


shapes = st.sampled_from([(1.0, 64, 0), (2.0, 64, 1), (0.5, 128, 0), (4.0, 64, 2)])


@given(st.lists(shapes, max_size=40), st.integers(0, 40))
def test_the_shares_are_those_of_the_last_requests(order: list[Shape], more: int) -> None:
    mix = Mix()
    asked = [*list(USUAL) * 4, *(order * (EVERY + more))]
    for cpu, ram, numa in asked[len(USUAL) * 4 :]:
        mix.note(Request(cpu, ram, numa=numa))
    # Since the last time that they were counted, nothing was.
    counted = len(USUAL) * 4 + (len(asked) - len(USUAL) * 4) // EVERY * EVERY
    last = Counter(asked[:counted][-RECENT:])
    assert {shape: share * last.total() for shape, share in mix.shares} == pytest.approx(dict(last))
