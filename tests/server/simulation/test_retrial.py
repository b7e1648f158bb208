"""Decisions made again: under the same policy the same, and otherwise with the reason told apart from the times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud.simulation.comparison import Comparison
from minicloud.simulation.record import Record, read_record, read_request
from minicloud.simulation.retrial import Bench, retry
from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.decision import request_mapping
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import BALANCED, PACK, POLICIES, SPREAD, Policy
from minicloud_core.scheduler.priority import Precedence
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

KNOWN = {policy.version: policy for policy in POLICIES.values()}
HOSTS = [HostView("a", 8, 16384), HostView("b", 8, 16384), HostView("c", 4, 8192)]


def record(
    number: int, host: str | None, *, policy: Policy = SPREAD, ended: float | None = None, **asked: Any
) -> Record:
    request = Request(**{"cpu": 1, "ram_mib": 1024, "vm": f"vm-{number}", **asked})
    vm, name = None if host is None else f"vm-{number}", f"name{number}"
    return Record(vm, name, "default", host, number, ended, policy.name, policy.version, request)


def compared(hosts: Sequence[HostView], records: Sequence[Record], policy: Policy, **options: Any) -> Comparison:
    comparison = Comparison(policy)
    comparison.count(retry(Fleet(hosts), records, Bench(policy, options.pop("known", KNOWN), 0.0), **options))
    return comparison


def test_another_policy_is_told_by_where_it_would_have_gone() -> None:
    found = compared(HOSTS, [record(1, "a"), record(2, "b")], PACK)
    assert (found.decisions, found.same, found.elsewhere, found.refused, found.by_policy) == (2, 0, 2, 0, 2)
    assert [one.host for one in found.differences] == ["c", "c"], "where the others went is where the record says"


def test_a_refusal_comes_with_what_refuses() -> None:
    strict = replace(SPREAD, name="strict", limits=replace(SPREAD.limits, ram_reserved_mib=15872))
    found = compared(HOSTS, [record(1, "a", ram_mib=2048)], strict)
    (difference,) = found.differences
    assert (found.refused, difference.host, difference.by_policy) == (1, None, True)
    assert [(obstacle.rule, obstacle.hosts) for obstacle in difference.obstacles] == [("memory", 3)]


def test_a_vm_of_nodes_that_its_host_has_no_more_is_there_all_the_same() -> None:
    found = compared(HOSTS, [record(1, "c", numa=1, cpu=12), record(2, "c", policy=PACK, cpu=5)], PACK)
    assert [difference.host for difference in found.differences] == [None, "a"]
    assert found.by_policy == 0, "where they were there is no room by either policy"


def test_who_made_room_is_off_and_comes_back() -> None:
    """The record says who left, what they left behind, and when they had room again."""
    strict = replace(PACK, name="strict", limits=replace(PACK.limits, cpu_overcommit=1.0), preemption=Precedence(10, 5))
    host, known = replace(HOSTS[2], disk_bytes=100), {strict.version: strict}
    low = record(1, "c", policy=strict, cpu=4, disk_bytes=60)
    high = replace(record(2, "c", policy=strict, cpu=4, priority=10, ended=3.0, disk_bytes=30), preempts=("vm-1",))
    back = replace(record(4, "c", policy=strict, cpu=4, ended=5.0), vm="vm-1")
    last = record(6, "c", policy=strict, cpu=4, disk_bytes=100)
    found = compared([host], [low, high, back, last], strict, known=known)
    assert (found.decisions, found.same, found.differences) == (4, 4, [])
    too_much = replace(back, at=3.5, request=replace(back.request, disk_bytes=41))
    found = compared([host], [low, high, too_much], strict, known=known)
    assert [one.record for one in found.differences] == [too_much]


def test_what_was_refused_is_asked_again() -> None:
    """A policy that promises more CPUs would have taken what was refused; one like it would have refused it too."""
    narrow = replace(SPREAD, name="narrow", limits=replace(SPREAD.limits, cpu_overcommit=1.0))
    known = {**KNOWN, narrow.version: narrow}
    asked = [record(1, "a", policy=narrow, cpu=8), record(2, None, policy=narrow, cpu=9, vm=None)]
    found = compared(HOSTS, asked, SPREAD, known=known)
    assert (found.decisions, found.same, found.accepted, found.by_policy) == (2, 1, 1, 1)
    (difference,) = found.differences
    assert difference.to_mapping()["was"] is None
    assert difference.host is not None
    again = compared(HOSTS, asked, narrow, known=known)
    assert (again.same, again.accepted, again.refused) == (2, 0, 0)


def test_room_that_has_come_since_is_not_laid_to_the_other_policy() -> None:
    found = compared(HOSTS, [record(1, None, ram_mib=2048, vm=None)], PACK)
    (difference,) = found.differences
    assert (difference.again is not None, difference.by_policy, found.accepted, found.by_policy) == (True, False, 1, 0)


def test_what_the_deciding_policy_would_no_longer_do_is_not_laid_to_the_other() -> None:
    hosts = [replace(HOSTS[0], cordoned=True), *HOSTS[1:]]
    found = compared(hosts, [record(1, "a")], SPREAD)
    (difference,) = found.differences
    assert (difference.host, difference.again, difference.by_policy, found.by_policy) == ("b", "b", False, 0)


def test_a_policy_that_is_not_at_hand_is_named() -> None:
    found = compared(HOSTS, [record(1, "b")], SPREAD, known={})
    assert found.strangers == {("spread", SPREAD.version): 1}
    assert found.to_mapping()["differences"][0]["by_policy"] is None


def test_a_vm_holds_its_room_until_it_is_deleted() -> None:
    one = [HOSTS[2]]
    kept = [record(1, "c", ram_mib=6000), record(2, "c", ram_mib=6000)]
    freed = [replace(kept[0], ended_at=1.5), kept[1]]
    assert compared(one, kept, PACK).refused == 1
    assert compared(one, freed, PACK).refused == 0


def test_a_vm_that_moved_is_where_it_moved_to() -> None:
    records = [
        record(1, "c", ram_mib=6000),
        replace(record(2, "a", ram_mib=6000, exclude=frozenset({"c"})), vm="vm-1"),
        record(3, "c", ram_mib=6000),
    ]
    assert [one.host for one in retry(Fleet(HOSTS), records, Bench(PACK, {}, 0.0))][2] == "c"


def test_a_host_that_is_gone_has_taken_its_vms_along() -> None:
    found = compared(HOSTS[1:], [record(1, "a"), record(2, "b")], SPREAD)
    assert [one.host for one in found.differences] == ["b"]
    assert found.same == 1


def test_the_latest_alone_can_be_made_again() -> None:
    records = [record(1, "a", ram_mib=14000), record(2, "b", ram_mib=14000), record(3, "c", ram_mib=7000)]
    found = compared(HOSTS, records, SPREAD, last=1)
    assert (found.decisions, found.same) == (1, 1)
    assert compared(HOSTS, records, SPREAD, last=9).decisions == 3


def test_a_record_is_read_as_the_api_shows_it() -> None:
    at = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    row = {
        "vm": "vm-7", "name": "web01", "project": "shop", "operation": "op-1", "host": "a", "policy": "pack",
        "policy_version": None, "at": "2026-11-21T12:00:00Z", "ended_at": "2026-11-21T12:00:01Z",
        "request": {"cpu": 2, "ram_mib": 512, "disk_bytes": 0, "host": None, "labels": {}, "exclude": ["b"]},
    }  # fmt: skip
    read = read_record(row)
    assert (read.at, read.ended_at, read.version) == (at.timestamp(), at.timestamp() + 1, None)
    assert read.request == Request(2, 512, exclude=frozenset({"b"}), project="shop", vm="vm-7")
    refused = read_record({**row, "vm": None, "operation": None, "host": None, "ended_at": None})  # type: ignore[dict-item]
    assert (refused.vm, refused.host, refused.request.vm) == (None, None, None)
    with pytest.raises(InputError) as caught:
        read_record({**row, "request": {**row["request"], "colour": "red"}})  # type: ignore[dict-item]
    assert [problem.field for problem in caught.value.problems] == ["request.colour"]


words = st.sampled_from(["x", "y", "z"])
requests = st.builds(
    Request,
    st.sampled_from([1, 2, 0.5]),
    st.integers(256, 6000),
    labels=st.dictionaries(words, words, max_size=2),
    exclude=st.frozensets(st.sampled_from("ab"), max_size=1),
    project=st.sampled_from(["default", "shop"]),
    group=st.none() | words,
    priority=st.integers(-2, 2),
    affinity=st.lists(words.map("group:{}".format), max_size=1).map(tuple),
    anti_affinity=st.lists(words.map("x={}".format), max_size=2, unique=True).map(tuple),
    spread=st.lists(
        st.builds(Spread, st.just("host"), st.integers(1, 2), st.sampled_from([None, "x"])), max_size=1
    ).map(tuple),
    host_labels=st.dictionaries(words, words, max_size=1),
    cpu_features=st.frozensets(words, max_size=2),
    bandwidth_mbps=st.integers(0, 5),
)


@given(requests)
def test_what_was_asked_is_read_back_as_it_was(request: Request) -> None:
    assert read_request(json.loads(json.dumps(request_mapping(request)))) == request


@settings(deadline=None)
@given(
    st.sampled_from([SPREAD, PACK, BALANCED]),
    st.lists(st.tuples(requests, st.none() | st.integers(1, 4)), min_size=1, max_size=12),
)
def test_the_same_policy_decides_the_same(policy: Policy, asked: list[tuple[Request, int | None]]) -> None:
    """On hosts that have not changed since, and with VMs that come and go as they did."""
    fleet = Fleet(HOSTS)
    scheduler = Scheduler(fleet, policy)
    records: list[Record] = []
    for number, (request, life) in enumerate(asked):
        for past in records:
            gone = past.ended_at is not None and past.ended_at <= number
            if past.vm is not None and gone and fleet.where(past.vm) is not None:
                fleet.remove(past.vm)
        own = replace(request, vm=f"vm-{number}")
        host = scheduler.choose(own, now=0.0)
        ended = None if life is None or host is None else number + life - 0.5
        made = record(number, host, policy=policy, ended=ended)
        records.append(replace(made, request=own if host else replace(own, vm=None), project=own.project))
        if host is not None:
            scheduler.take(own.vm or "", host, own)
    found = compared(HOSTS, records, policy)
    assert (found.same, found.differences) == (len(records), [])
