"""Requests that contradict themselves, told with both of the rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.conflict import conflicts
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import place
from minicloud_core.scheduler.policy import SPREAD
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

from tests.unit.scheduler.test_company import requests

VM = Request(1, 64, group="db", labels={"tier": "data"})

CONFLICTS = {
    "anti_affinity": (
        replace(VM, affinity=("group:web", "vm:a"), anti_affinity=("group:db", "group:web")),
        "group:web is in affinity and in anti_affinity, and no host is both with it and without",
    ),
    "prefer_apart": (
        replace(VM, affinity=("vm:a",), prefer_apart=("vm:a",)),
        "vm:a is in affinity and in prefer_apart",
    ),
    "prefer_with": (replace(VM, anti_affinity=("a=b",), prefer_with=("a=b",)), "a=b is in anti_affinity and in prefer"),
    "anti_affinity ": (
        replace(VM, affinity=("group:web@host",), anti_affinity=("group:web@rack",)),
        "group:web is in affinity and group:web@rack in anti_affinity, and no host is both with group:web and without",
    ),
    "prefer_with ": (
        replace(VM, anti_affinity=("a=b@rack",), prefer_with=("a=b@rack",)),
        "a=b@rack is in anti_affinity and in prefer_with, and no host is both with it and without",
    ),
    "prefer_apart ": (
        replace(VM, prefer_with=("a=b",), prefer_apart=("a=b@rack",)),
        "a=b is in prefer_with and a=b@rack in prefer_apart",
    ),
    "spread.0 ": (
        replace(VM, affinity=("group:db@rack",), spread=(Spread("rack", 1),)),
        "affinity wants group:db in one rack, and spread wants 1 at most in each rack",
    ),
    "host": (
        replace(VM, host="a", exclude=frozenset({"a", "b"})),
        "a is asked for by host and ruled out by exclude",
    ),
    "spread.0": (
        replace(VM, affinity=("group:db",), spread=(Spread("rack", 1),)),
        "affinity wants group:db on one host, and spread wants 1 at most in each rack",
    ),
    "spread.1": (
        replace(VM, affinity=("tier=data",), spread=(Spread("host", 2), Spread("host", 1, "tier"))),
        "affinity wants tier=data on one host, and spread wants 1 at most in each host",
    ),
    "spread.0.label": (
        replace(VM, spread=(Spread("host", 1, "zone"),)),
        "spread by host counts VMs by their label zone, which the VM has not",
    ),
}


@pytest.mark.parametrize(
    ("field", "request_", "message"), [(field.strip(), *case) for field, case in CONFLICTS.items()]
)
def test_rules_that_contradict_each_other_are_both_named(field: str, request_: Request, message: str) -> None:
    problems = conflicts(request_, "vms.3")
    assert [problem.field for problem in problems] == [f"vms.3.{field}"]
    assert problems[0].message.startswith(message)
    assert [problem.field for problem in conflicts(request_)] == [field]


@pytest.mark.parametrize(
    ("cpu", "numa", "right"), [(0.5, 0, False), (2.5, 2, False), (3, 2, False), (4, 2, True), (3, 0, True)]
)
def test_threads_of_its_own_are_whole(cpu: float, numa: int, right: bool) -> None:
    request = replace(VM, cpu=cpu, numa=numa, pinned=True)
    assert [problem.field for problem in conflicts(request)] == ([] if right else ["pinned"])
    assert conflicts(replace(request, pinned=False)) == []


def test_a_spread_of_nobody_is_refused() -> None:
    (problem,) = conflicts(replace(VM, group=None, spread=(Spread("rack", 2),)))
    assert (problem.field, problem.allowed) == ("spread.0", "with a group, or with the label of VMs to count")


@pytest.mark.parametrize(
    "request_",
    [
        VM,
        replace(
            VM, affinity=("group:web",), anti_affinity=("group:db",), prefer_with=("vm:a",), prefer_apart=("vm:b",)
        ),
        # Near in one sense, and away in a narrower one.
        replace(VM, affinity=("group:web@rack",), anti_affinity=("group:web",), spread=(Spread("host", 1),)),
        replace(VM, affinity=("group:db@zone",), spread=(Spread("rack", 1),), prefer_apart=("group:web@host",)),
        replace(VM, prefer_with=("group:web@zone",), anti_affinity=("group:web@rack",)),
        replace(VM, affinity=("group:db",), prefer_with=("group:db",), spread=(Spread("rack", 2),)),
        replace(VM, affinity=("group:web",), spread=(Spread("host", 1), Spread("rack", 1, "tier"))),
        replace(VM, host="a", exclude=frozenset({"b"})),
    ],
)
def test_rules_that_can_be_kept_together_are_not_blamed(request_: Request) -> None:
    assert conflicts(request_) == []


def test_a_file_that_contradicts_itself_is_refused_by_path() -> None:
    vm = {"host": "a", "cpu": 1, "ram": 64, "group": "db", "affinity": ["group:db"]}
    spread = {"spread": [{"by": "rack", "at_most": 1}]}
    with pytest.raises(InputError) as caught:
        read_fleet([{"id": "a", "cpu": 8, "ram": "8G"}], [vm, {**vm, **spread}], at=0)
    assert [problem.field for problem in caught.value.problems] == ["vms.1.spread.0"]


@settings(deadline=None)
@given(requests)
def test_what_contradicts_itself_finds_no_host_once_there_is_company(request: Request) -> None:
    """Wishes aside, which refuse nobody: neither with one of each term on every host nor anywhere else."""
    hard = replace(request, prefer_with=(), prefer_apart=())
    if not any(problem.message.startswith(("affinity wants", "group:", "tier=")) for problem in conflicts(hard)):
        return
    fleet = Fleet([HostView("a", 64, 65536, labels={"rack": "1", "zone": "1"})])
    labels = [{"tier": tier, "zone": zone} for tier in "xy" for zone in "xy"]
    for number, (group, marks) in enumerate((group, marks) for group in "gh" for marks in labels):
        fleet.add(f"other-{number}", "a", Request(1, 64, labels=marks, group=group, project=request.project))
    assert place(fleet, hard, SPREAD, now=0.0).host is None
