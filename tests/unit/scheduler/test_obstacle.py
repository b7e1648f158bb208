"""A refusal in a few lines counts what the decision says of each host."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import PACK
from minicloud_core.scheduler.request import Request

hosts = st.builds(
    HostView,
    id=st.sampled_from([f"node{number}" for number in range(8)]),
    cpu=st.integers(0, 4),
    ram_mib=st.integers(0, 4096),
    cordoned=st.booleans(),
    state=st.sampled_from(["ready", "down"]),
)
fleets = st.lists(hosts, max_size=8, unique_by=lambda host: host.id)


@given(fleets, st.integers(1, 8), st.integers(1, 4096), st.integers(0, 1))
def test_obstacles_are_the_reasons_counted(views: list[HostView], cpu: int, ram_mib: int, numa: int) -> None:
    scheduler, request = Scheduler(Fleet(views), PACK), Request(cpu, ram_mib, numa=numa)
    refused = scheduler.place(request, now=0.0).refused
    found = scheduler.obstacles(request, now=0.0)
    assert {one.rule: one.hosts for one in found} == Counter(
        reason.rule for refusal in refused for reason in refusal.reasons
    )
    assert {one.rule: one.alone for one in found if one.alone} == Counter(
        refusal.reasons[0].rule for refusal in refused if len(refusal.reasons) == 1
    )
    messages = {f"{refusal.host}: {reason.message}" for refusal in refused for reason in refusal.reasons}
    assert {one.message for one in found} <= messages
    assert list(found) == sorted(found, key=lambda one: (-one.hosts, one.rule))


def test_the_first_host_is_quoted() -> None:
    scheduler = Scheduler(Fleet([HostView("b", 1, 1024, cordoned=True), HostView("a", 1, 1024, state="down")]), PACK)
    first, *others = scheduler.obstacles(Request(1, 4096), now=0.0)
    assert (first.rule, first.hosts, first.alone) == ("memory", 2, 0)
    assert first.message.startswith("a: 4 GiB wanted")
    assert [one.message for one in others] == ["b: the host is cordoned", "a: the host is down, not ready"]


@given(fleets, st.integers(1, 8), st.integers(1, 4096))
def test_the_score_is_that_of_the_host_chosen(views: list[HostView], cpu: int, ram_mib: int) -> None:
    scheduler, request = Scheduler(Fleet(views), PACK), Request(cpu, ram_mib)
    decision = scheduler.place(request, now=0.0)
    best = decision.accepted[0] if decision.accepted else None
    assert scheduler.choose_scored(request, now=0.0) == (None if best is None else (best.host, best.score))
