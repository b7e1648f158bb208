"""Traces on fleets: where each VM goes, what is counted, and what never happens."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud.simulation.replay import replay
from minicloud.simulation.report import Report
from minicloud.simulation.trace import Step
from minicloud.simulation.usage import KEPT
from minicloud.simulation.verdict import Verdict
from minicloud_core.model.errors import InputError
from minicloud_core.model.units import MIB
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.group import Group, NewVm
from minicloud_core.scheduler.policy import BALANCED, PACK, POLICIES, SPREAD, Policy
from minicloud_core.scheduler.priority import Precedence
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

EXACT = {"cpu_overcommit": 1, "ram_reserved": 0}
SMALL: dict[str, Any] = {"cpu": 4, "ram": "8G", **EXACT}


def create(vm: str, cpu: float, ram_mib: int, *, at: float = 0.0, **further: Any) -> Step:
    return Step(f"requests.jsonl:{vm}", at, vm, Request(cpu, ram_mib, **further))


def delete(vm: str, *, at: float = 0.0) -> Step:
    return Step(f"requests.jsonl:-{vm}", at, vm, None)


def play(fleet: Fleet, steps: Iterable[Step], policy: Policy = PACK) -> tuple[Report, list[Verdict]]:
    verdicts: list[Verdict] = []
    return replay(fleet, steps, policy, verdicts.append), verdicts


def test_a_story() -> None:
    fleet = read_fleet(
        [
            {"id": "a", "numa": [{"cpu": 2, "ram": "4G"}, {"cpu": 2, "ram": "4G"}], **SMALL},
            {"id": "b", **SMALL},
            {"id": "c", **SMALL, "cordoned": True},
        ],
        [{"id": "old", "host": "b", "cpu": 0.5, "ram": "1G"}],
        at=0,
    )
    report, verdicts = play(
        fleet,
        [
            create("wide", 4, 8192, numa=2),
            create("half", 3.5, 1024, at=1),
            create("none", 0.1, 1024, at=2),
            create("huge", 64, 1 << 20, at=3),
            delete("none", at=4),
            delete("old", at=5),
            create("none", 0.5, 1024, at=6),
            delete("wide", at=7),
            create("narrow", 2, 4096, numa=1, at=8),
        ],
    )
    # "wide" needs nodes; "half" the half CPU less that "old" leaves; a tenth more does not go in.
    assert [(one.vm, one.host) for one in verdicts] == [
        ("wide", "a"), ("half", "b"), ("none", None), ("huge", None), ("none", "b"), ("narrow", "a"),
    ]  # fmt: skip
    assert (report.placed, report.refused, report.deletes, report.deletes_of_refused) == (4, 2, 2, 1)
    assert report.first_refusal is not None
    assert (report.first_refusal.vm, report.first_refusal.at, report.first_refusal.placed_before) == ("none", 2, 2)
    counted = {one.rule: (one.requests, one.alone) for one in report.refused_by}
    # On c, the cordon alone stood in the way of "none"; on b it was the CPUs alone.
    assert counted == {"cpu": (2, 1), "memory": (2, 0), "cordon": (2, 1)}
    assert fleet.cpu_used.tolist() == [2 * 840_000, 4 * 840_000, 0]
    assert sorted(fleet.node_ram_used[0].tolist()) == [0, 4096]


def test_a_decision_says_where_and_how_good_or_what_stood_in_the_way() -> None:
    fleet = read_fleet([{"id": "a", **SMALL}, {"id": "b", **SMALL, "cordoned": True}], at=0)
    _report, (placed, refused) = play(fleet, [create("v", 1, 1024, at=5), create("w", 1, 16384, at=6.5)], SPREAD)
    assert placed.to_mapping() == {"at": 5, "id": "v", "host": "a", "score": 0.791667}
    assert refused.to_mapping() == {
        "at": 6.5,
        "id": "w",
        "host": None,
        "reasons": [
            {
                "rule": "memory",
                "hosts": 2,
                "alone": 1,
                "message": "a: 16 GiB wanted, 7 GiB free of 8 GiB (8 GiB less 0 MiB for the host)",
            },
            {"rule": "cordon", "hosts": 1, "alone": 0, "message": "b: the host is cordoned"},
        ],
    }


def test_the_only_host_that_will_do_is_heeded() -> None:
    hosts = [{"id": "a", **SMALL}, {"id": "b", **SMALL}]
    _report, verdicts = play(read_fleet(hosts, at=0), [create(f"v{n}", 2, 512, host="b") for n in range(3)])
    assert [one.host for one in verdicts] == ["b", "b", None]


def test_loads_stay_fresh_however_long_the_trace() -> None:
    hosts = [{"id": "a", **SMALL, "load": 1.0}, {"id": "b", **SMALL}]
    _report, verdicts = play(
        read_fleet(hosts, at=float("inf")), [create("v", 1, 512), delete("v"), create("v", 1, 512, at=1e9)], SPREAD
    )
    assert [one.host for one in verdicts] == ["b", "b"]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([create("v", 1, 1), create("v", 1, 1)], "requests.jsonl:v: vm.id: v is there already, on a"),
        ([create("old", 1, 1)], "requests.jsonl:old: vm.id: old is there already, on a"),
        ([delete("v")], "requests.jsonl:-v: id: there is no VM v"),
        ([create("v", 1, 1), delete("v"), delete("v")], "requests.jsonl:-v: id: there is no VM v"),
        ([create("v", 99, 1), delete("v"), delete("v")], "requests.jsonl:-v: id: there is no VM v"),
    ],
)
def test_a_trace_that_contradicts_itself_is_refused_with_its_line(steps: list[Step], problem: str) -> None:
    fleet = read_fleet([{"id": "a", **SMALL}], [{"id": "old", "host": "a", "cpu": 1, "ram": 1}], at=0)
    with pytest.raises(InputError) as caught:
        replay(fleet, steps, PACK)
    assert str(caught.value) == problem


def test_a_vm_that_was_refused_may_be_asked_for_again() -> None:
    fleet = read_fleet([{"id": "a", **SMALL}], at=0)
    steps = [create("v", 99, 1), create("v", 1, 1), delete("v"), create("v", 99, 1), delete("v")]
    report, verdicts = play(fleet, steps)
    assert [one.host for one in verdicts] == [None, "a", None]
    assert (report.deletes, report.deletes_of_refused) == (1, 1)


def test_nothing_asked_for_is_a_report_too() -> None:
    report, _verdicts = play(read_fleet([{"id": "a", **SMALL}], at=0), [])
    mapping = report.to_mapping()
    assert (mapping["creates"], mapping["utilisation"], mapping["fragmentation"]) == (0, [], None)
    assert (mapping["first_refusal"], mapping["decisions_per_cpu_second"]) == (None, None)


def test_a_fleet_without_hosts_refuses_everything_and_blames_no_rule() -> None:
    report, verdicts = play(read_fleet([], at=0), [create("v", 1, 1)])
    assert verdicts[0].to_mapping() == {"at": 0.0, "id": "v", "host": None, "reasons": []}
    assert (report.refused, report.refused_by) == (1, ())
    assert report.to_mapping()["utilisation"] == [{"at": 0.0, "cpu": 0.0, "ram": 0.0}] * 2


def test_utilisation_is_what_is_promised_of_what_may_be() -> None:
    hosts = [{"id": "a", "cpu": 4, "ram": "8G", "cpu_overcommit": 2, "ram_reserved": "4G"}]
    report, _verdicts = play(read_fleet(hosts, at=0), [create("v", 2, 1024, at=3), create("w", 2, 2048, at=9)])
    assert [point.to_mapping() for point in report.utilisation] == [
        {"at": 3, "cpu": 0, "ram": 0},
        {"at": 9, "cpu": 0.25, "ram": 0.25},
        {"at": 9, "cpu": 0.5, "ram": 0.75},
    ]


@pytest.mark.parametrize("count", [1, KEPT, 2 * KEPT, 2 * KEPT + 1, 1000])
def test_points_are_few_and_spread_evenly_however_long_the_trace(count: int) -> None:
    fleet = read_fleet([{"id": "a", "cpu": 4, "ram": "8G"}], at=0)
    steps = [create("v", 1, 1, at=n) if n % 2 == 0 else delete("v", at=n) for n in range(count)]
    *points, last = (point.at for point in replay(fleet, steps, PACK).utilisation)
    assert min(count, KEPT) <= len(points) <= 2 * KEPT
    assert (points[0], last) == (0, count - 1)
    assert len({after - before for before, after in pairwise(points)}) <= 1


def test_fragmentation_is_free_room_where_the_mean_request_does_not_fit() -> None:
    hosts = [
        {"id": "a", **SMALL},
        {"id": "b", **SMALL},
        {"id": "c", **SMALL, "cordoned": True},
        {"id": "d", **SMALL, "state": "down"},
    ]
    vms = [{"id": "x", "host": "a", "cpu": 3, "ram": "2G"}]
    # The mean is 3 CPUs and 3 GiB: b fits it, a with 1 CPU and 6 GiB does not; c and d take nothing and do not count.
    steps = [create("v", 1, 1024), delete("v"), create("w", 5, 5120)]
    report, _verdicts = play(read_fleet(hosts, vms, at=0), steps)
    assert report.refused == 1
    assert report.fragmentation is not None
    assert report.fragmentation.to_mapping() == {
        "cpu": 0.2,
        "ram": round(6 / 14, 6),
        "mean_request": {"cpu": 3.0, "ram_mib": 3072.0, "disk_bytes": 0},
    }


vms = st.builds(
    lambda cpu, ram, numa: Request(cpu, ram, numa=numa),
    st.sampled_from([0.1, 0.3, 0.5, 1, 2, 3]),
    st.integers(1, 4096),
    st.integers(0, 2),
)
names = st.sampled_from([f"v{number}" for number in range(12)])
traces = st.lists(st.tuples(names, vms), max_size=60)
fleets = st.lists(
    st.builds(
        lambda cpu, ram, numa, overcommit: {
            "cpu": 2 * cpu, "ram": 2 * ram, "cpu_overcommit": overcommit, "ram_reserved": 0,
            "numa": [{"cpu": cpu, "ram": ram}] * 2 if numa else [],
        },
        st.integers(0, 4), st.integers(0, 4096), st.booleans(), st.sampled_from([1, 1.5, 2]),
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@settings(deadline=None)
@given(fleets, traces, st.sampled_from(sorted(POLICIES)))
def test_no_host_is_ever_over_its_limits(
    hosts: list[dict[str, Any]], trace: list[tuple[str, Request]], name: str
) -> None:
    """Counted anew from the verdicts alone, in whole thousandths of a CPU, after every step."""
    named = {f"h{number}": host for number, host in enumerate(hosts)}
    fleet = read_fleet([{"id": name, **host} for name, host in named.items()], at=0)
    living: dict[str, tuple[str, Request]] = {}
    asked: set[str] = set()
    latest: list[Verdict] = []

    def steps() -> Iterable[Step]:
        # A name that is there is deleted, any other created: the trace is written as it is played.
        for at, (vm, request) in enumerate(trace):
            if vm in asked:
                asked.discard(vm)
                living.pop(vm, None)
                yield delete(vm, at=at)
            else:
                asked.add(vm)
                yield Step("", at, vm, request)
                verdict = latest[-1]
                assert verdict.vm == vm
                if verdict.host is not None:
                    living[vm] = (verdict.host, request)
            check()

    def check() -> None:
        for row, (host, has) in enumerate(named.items()):
            held = [request for where, request in living.values() if where == host]
            thousandths = sum(round(request.cpu * 1000) for request in held)
            assert thousandths <= int(has["cpu"] * has["cpu_overcommit"]) * 1000
            assert sum(request.ram_mib for request in held) <= has["ram"]
            for node, part in enumerate(has["numa"]):
                assert fleet.node_ram_used[row, node] <= part["ram"]
                assert fleet.node_cpu_used[row, node] <= part["cpu"] * has["cpu_overcommit"] * 840_000
            assert sum(request.numa > 0 for request in held) == 0 or has["numa"]

    report = replay(fleet, steps(), POLICIES[name], latest.append)
    assert report.placed == sum(verdict.host is not None for verdict in latest)


@settings(deadline=None, max_examples=30)
@given(fleets, traces)
def test_the_same_files_give_the_same_answer(hosts: list[dict[str, Any]], trace: list[tuple[str, Request]]) -> None:
    documents = [{"id": f"h{number}", **host} for number, host in enumerate(hosts)]
    steps = [
        create(f"{vm}-{number}", request.cpu, request.ram_mib, at=number) for number, (vm, request) in enumerate(trace)
    ]

    def answer(order: list[dict[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        report, verdicts = play(read_fleet(order, at=0), steps, BALANCED)
        mapping = {**report.to_mapping(), "decisions_per_cpu_second": None}
        return mapping, [verdict.to_mapping() for verdict in verdicts]

    assert answer(documents) == answer(documents[::-1])


def test_a_vm_of_higher_priority_takes_the_place_of_others_where_the_policy_lets_it() -> None:
    strict = replace(PACK, name="strict", preemption=Precedence(from_priority=10, victims_below=5))
    steps = [
        create("low", 4, 1024, priority=1),
        create("high", 4, 1024, at=1, priority=10),
        create("higher", 4, 1024, at=2, priority=11),
        delete("low", at=3),
    ]
    report, verdicts = play(read_fleet([{"id": "a", **SMALL}], at=0), steps, strict)
    assert [verdict.host for verdict in verdicts] == ["a", "a", None]
    assert verdicts[1].to_mapping()["preempts"] == [{"vm": "low", "priority": 1}]
    assert (report.placed, report.refused, report.preempted) == (2, 1, 1)
    assert (report.deletes, report.deletes_of_refused) == (0, 1)
    meek, _verdicts = play(read_fleet([{"id": "a", **SMALL}], at=0), steps, PACK)
    assert (meek.placed, meek.refused, meek.preempted) == (1, 2, 0)


def test_who_had_to_leave_leaves_its_disks_until_it_is_deleted() -> None:
    strict = replace(PACK, name="strict", preemption=Precedence(from_priority=10, victims_below=5))
    steps = [
        create("low", 4, 1024, priority=1, disk_bytes=60 * MIB),
        create("high", 2, 1024, at=1, priority=10, disk_bytes=30 * MIB),
        create("other", 1, 1024, at=2, disk_bytes=30 * MIB),
        delete("low", at=3),
        create("another", 1, 1024, at=4, disk_bytes=30 * MIB),
    ]
    _report, verdicts = play(read_fleet([{"id": "a", **SMALL, "disk": 100}], at=0), steps, strict)
    assert [verdict.host for verdict in verdicts] == ["a", "a", None, "a"]


def group(name: str, *vms: NewVm, at: float = 0.0, spread: tuple[Spread, ...] = ()) -> Step:
    return Step(f"requests.jsonl:{name}", at, name, None, Group(name, vms, spread))


def test_a_group_is_placed_whole_or_not_at_all() -> None:
    def vm(name: str, cpu: float) -> NewVm:
        return NewVm(name, Request(cpu, 1024))

    fleet = read_fleet([{"id": "a", **SMALL}, {"id": "b", **SMALL}], at=0)
    apart = (Spread("host", 1),)
    report, verdicts = play(
        fleet,
        [
            group("web", vm("web1", 1), vm("web2", 1), spread=apart),
            group("db", vm("db1", 1), vm("db2", 1), vm("db3", 1), at=1, spread=apart),
            delete("db1", at=2),
            delete("web1", at=3),
        ],
    )
    assert {verdict.host for verdict in verdicts[:2]} == {"a", "b"}
    assert [verdict.host for verdict in verdicts[2:]] == [None] * 3
    assert [[one.rule for one in verdict.obstacles] for verdict in verdicts[2:]] == [["group"], ["group"], ["spread"]]
    assert verdicts[2].obstacles[0].message == "db3 of group db found no host, and all of it are placed or none"
    assert (report.placed, report.refused, report.deletes, report.deletes_of_refused) == (2, 3, 1, 1)
    assert fleet.vms() == ["web2"]


def test_a_vm_of_a_group_that_is_there_already_is_refused_by_its_place() -> None:
    steps = [create("x", 1, 512), group("g", NewVm("y", Request(1, 512)), NewVm("x", Request(1, 512)))]
    with pytest.raises(InputError) as caught:
        play(read_fleet([{"id": "a", **SMALL}], at=0), steps)
    assert caught.value.problems[0].field == "requests.jsonl:g: vms.1.id"
