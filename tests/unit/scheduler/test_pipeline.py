"""Which host is chosen, and what is said about it."""

from __future__ import annotations

import json

import pytest
from minicloud_core.model.errors import InputError, NoCapacityError
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import BALANCED, POLICIES, SPREAD, Policy, policy_named
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.table import render

NOW = 1_000_000.0
REQUEST = Request(cpu=1, ram_mib=1024)


def decide(*hosts: HostView, request: Request = REQUEST, policy: Policy = BALANCED) -> Decision:
    return place(Fleet(hosts), request, policy, now=NOW)


def host(name: str, *, ram_used: int = 0, cpu_used: int = 0, load: float | None = None, age: float = 0) -> HostView:
    return HostView(
        name,
        cpu=8,
        ram_mib=16384,
        allocated_cpu=cpu_used,
        allocated_ram_mib=ram_used,
        load=load,
        load_at=None if load is None else NOW - age,
    )


def test_the_host_with_the_most_room_is_chosen() -> None:
    decision = decide(host("a", ram_used=4096), host("b", ram_used=1024), host("c", ram_used=2048))
    assert decision.host == "b"
    assert [candidate.host for candidate in decision.accepted] == ["b", "c", "a"]


def test_free_cpus_count_as_free_memory_does() -> None:
    assert decide(host("a", cpu_used=8), host("b")).host == "b"


def test_of_two_equal_hosts_the_less_busy_is_chosen() -> None:
    assert decide(host("a", load=0.9), host("b", load=0.1)).host == "b"


def test_a_load_measured_long_ago_counts_as_unknown() -> None:
    stale, busy = host("a", load=0.0, age=3600), host("b", load=0.4)
    # Believed, an idle host would beat one at 40 %; unknown counts as half.
    assert decide(stale, busy).host == "b"
    assert decide(host("a", load=0.0, age=1), busy).host == "a"


def test_equal_hosts_are_told_apart_by_name() -> None:
    assert decide(host("node10"), host("node2"), host("node1")).host == "node1"


def test_every_refused_host_says_every_reason() -> None:
    full = HostView("full", cpu=1, ram_mib=512, state="down", cordoned=True)
    decision = decide(full, request=Request(cpu=64, ram_mib=4096, disk_bytes=1))
    assert decision.host is None
    assert [reason.rule for reason in decision.refused[0].reasons] == ["ready", "cordon", "cpu", "memory", "disk"]


def test_a_score_is_the_weighted_mean_of_its_parts() -> None:
    candidate = decide(host("a", ram_used=4096, load=0.25)).accepted[0]
    total = sum(part.weight for part in candidate.parts)
    assert candidate.score == pytest.approx(sum(part.value * part.weight for part in candidate.parts) / total)
    assert {part.scorer for part in candidate.parts} == {"free_cpu", "free_memory", "load", "stability"}


def test_a_policy_that_never_turns_does_not_turn_on_a_fleet_promised_many_times_over() -> None:
    # As after an overcommit was lowered: three times the virtual CPUs that there are to promise.
    crowded = host("a", cpu_used=96)
    policy = Policy("plain", weights=SPREAD.weights, filters=("memory",))
    candidate = decide(crowded, host("b", cpu_used=96, ram_used=1024), policy=policy).accepted[0]
    assert {part.scorer for part in candidate.parts} == {"free_cpu", "free_memory", "load", "stability"}


def test_without_scorers_the_name_decides() -> None:
    assert decide(host("b"), host("a", ram_used=9000), policy=Policy("plain")).host == "a"


def test_a_policy_may_leave_a_rule_out() -> None:
    down = HostView("a", cpu=8, ram_mib=16384, state="down")
    assert decide(down).host is None
    assert decide(down, policy=Policy("careless", filters=("cpu", "memory"))).host == "a"


def test_a_policy_names_every_rule_that_does_not_exist() -> None:
    with pytest.raises(InputError) as caught:
        Policy("bad", filters=("cpu", "colour"), weights={"charm": 1.0, "load": 0.0})
    assert [problem.field for problem in caught.value.problems] == ["filters.1", "weights.charm", "weights.load"]


def test_shipped_policies_are_found_by_name() -> None:
    assert policy_named("balanced") is BALANCED
    with pytest.raises(InputError, match="'best' is not a policy"):
        policy_named("best")
    assert all(name == policy.name for name, policy in POLICIES.items())


def test_a_decision_is_json_that_loses_nothing_of_importance() -> None:
    decision = decide(host("a"), HostView("b", cpu=8, ram_mib=16384, cordoned=True))
    mapping = json.loads(json.dumps(decision.to_mapping()))
    assert mapping["host"] == "a"
    assert mapping["policy"] == "balanced"
    assert mapping["at"] == NOW
    assert mapping["request"]["ram_mib"] == 1024
    assert mapping["accepted"][0]["parts"][0] == {"scorer": "free_cpu", "value": 0.96875, "weight": 1.0}
    assert mapping["refused"] == [
        {"host": "b", "reasons": [{"rule": "cordon", "message": "the host is cordoned", "numbers": {}}]}
    ]


def test_the_table_has_a_line_for_each_reason() -> None:
    cramped = HostView("node2", cpu=8, ram_mib=1024, cordoned=True)
    lines = render(decide(host("a"), host("b", ram_used=1), cramped)).splitlines()
    assert lines[0].split() == ["HOST", "RESULT", "SCORE", "WHY"]
    assert lines[1].split()[:2] == ["a", "chosen"]
    assert lines[2].split()[:2] == ["b", "accepted"]
    assert lines[3].startswith("node2  refused   -      cordon: the host is cordoned")
    assert lines[4].strip().startswith("memory: 1 GiB wanted")
    assert len(lines) == 5


def test_no_capacity_says_why_for_each_host() -> None:
    error = decide(HostView("a", cpu=8, ram_mib=512), HostView("b", cpu=8, ram_mib=16384, state="down")).no_capacity()
    assert isinstance(error, NoCapacityError)
    assert error.message == (
        "No host can take 1 virtual CPU and 1 GiB: "
        "a: 1 GiB wanted, 256 MiB free of 256 MiB (512 MiB less 256 MiB for the host); b: the host is down, not ready"
    )
    assert [reason["rule"] for reason in error.details["hosts"]["b"]] == ["ready"]


def test_no_capacity_without_hosts_says_so() -> None:
    error = decide().no_capacity()
    assert "no host is registered" in error.message
    assert error.details == {"hosts": {}}


def test_a_host_that_does_not_exist_is_told_apart_from_one_that_is_full() -> None:
    error = decide(host("a"), host("b"), request=Request(cpu=1, ram_mib=1, host="c")).no_capacity()
    assert error.hint == "there is no host c; there are a, b"


def test_what_is_placed_takes_its_room() -> None:
    fleet, request = Fleet([host("a"), host("b")]), Request(cpu=2, ram_mib=4096, disk_bytes=0)
    scheduler = Scheduler(fleet, SPREAD)
    chosen = []
    for turn in range(4):
        name = scheduler.choose(request, now=NOW)
        assert name is not None
        chosen.append(name)
        scheduler.take(f"vm-{turn}", name, request)
    assert chosen == ["a", "b", "a", "b"]
    first = fleet.host("a")
    assert first is not None
    assert (first.allocated_cpu, first.allocated_ram_mib) == (4, 8192)
    assert fleet.where("vm-3") == "b"
    for turn in range(4):
        fleet.remove(f"vm-{turn}")
    assert fleet.host("a") == host("a")


def test_a_fleet_has_each_host_once() -> None:
    with pytest.raises(ValueError, match=r"hosts appear twice: \['a'\]"):
        Fleet([host("a"), host("a"), host("b")])
    with pytest.raises(KeyError):
        Fleet([host("a")]).add("vm-1", "b", REQUEST)
    fleet = Fleet([host("a")])
    fleet.add("vm-1", "a", REQUEST)
    with pytest.raises(ValueError, match="vm-1 is on a already"):
        fleet.add("vm-1", "a", REQUEST)
