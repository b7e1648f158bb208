"""Figures by host group: each host has its own, that of the first group that says one, or the policy's."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler.board import Board
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limit_columns import LimitColumns
from minicloud_core.scheduler.limits import HostGroup, Limits
from minicloud_core.scheduler.pipeline import place
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request

GOLD, SMALL = {"tier": "gold"}, {"size": "small"}
HOSTS = [
    HostView("a", 8, 16384),
    HostView("b", 8, 16384, labels=GOLD),
    HostView("c", 8, 16384, labels={**SMALL, **GOLD}),
    HostView("d", 8, 16384, labels=SMALL, cpu_overcommit=7.0, ram_reserved_mib=1),
]
LIMITS = Limits(
    cpu_overcommit=4.0,
    groups=(HostGroup(GOLD, cpu_overcommit=1.0), HostGroup(SMALL, cpu_overcommit=2.0, ram_reserved_mib=1024)),
)


def test_the_first_group_that_says_a_figure_counts() -> None:
    columns = LimitColumns.of(Fleet(HOSTS), LIMITS)
    assert columns.cpu_overcommit.tolist() == [4.0, 1.0, 1.0, 2.0]
    assert columns.ram_reserved_mib.tolist() == [256, 256, 1024, 1024]
    assert columns.metrics_fresh_seconds.tolist() == [math.inf] * 4


def test_what_a_host_says_of_itself_counts_before_its_group() -> None:
    board = Board(Fleet(HOSTS), LIMITS)
    assert board.overcommit.tolist() == [4.0, 1.0, 1.0, 7.0]
    assert board.ram_reserved.tolist() == [256, 256, 1024, 1]


def test_a_refusal_tells_the_groups_figure() -> None:
    policy = Policy("two-tiers", weights={"free_cpu": 1.0}, limits=LIMITS)
    decision = place(Fleet(HOSTS), Request(10, 512), policy, now=0.0)
    assert decision.host == "d"
    (reason,) = next(refusal for refusal in decision.refused if refusal.host == "b").reasons
    assert (reason.rule, reason.numbers["overcommit"]) == ("cpu", 1.0)


def test_measurements_are_fresh_by_the_groups_figure() -> None:
    hosts = [
        HostView(name, 8, 16384, labels=labels, load=0.25, load_at=0.0) for name, labels in (("a", {}), ("b", GOLD))
    ]
    limits = Limits(load_fresh_seconds=10.0, groups=(HostGroup(GOLD, load_fresh_seconds=100.0),))
    assert Board(Fleet(hosts), limits).ageing.at(50.0).load.tolist() == [0.5, 0.75]


LABELS = st.dictionaries(st.sampled_from(["tier", "size"]), st.sampled_from(["x", "y"]), max_size=2)
FIGURES = st.one_of(st.none(), st.sampled_from([1.0, 2.5, 6.0]))


@given(st.lists(LABELS, max_size=5), st.lists(st.tuples(LABELS, FIGURES), max_size=4))
def test_each_host_is_read_as_if_it_were_alone(
    labels: list[dict[str, str]], said: list[tuple[dict[str, str], float | None]]
) -> None:
    fleet = Fleet(HostView(f"h{number}", 1, 1, labels=own) for number, own in enumerate(labels))
    groups = tuple(HostGroup(wanted, cpu_overcommit=figure) for wanted, figure in said)
    expected = [
        next((figure for wanted, figure in said if figure and wanted.items() <= own.items()), 4.0) for own in labels
    ]
    assert LimitColumns.of(fleet, Limits(groups=groups)).cpu_overcommit.tolist() == expected
