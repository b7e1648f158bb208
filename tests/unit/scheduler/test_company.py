"""Rules about other VMs: examples of each, and what holds for every fleet and every history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.model.reason import Reason
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import PACK, SPREAD, Policy
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

from tests.unit.scheduler import reference, reference_company

NOW = 1_000_000.0
RACKS = {"a": {"rack": "r1"}, "b": {"rack": "r1"}, "c": {"rack": "r2"}, "d": {}}
VM = Request(1, 64)
DB = replace(VM, group="db")
WEB = replace(VM, labels={"tier": "web"})
EVERYTHING = Policy("everything", weights=dict.fromkeys(reference.SCORERS, 1.0))


def fleet_with(placed: Mapping[str, list[Request]]) -> Fleet:
    """Hosts a to d, of which d is in no rack, with VMs named a0, a1, b0 …"""
    fleet = Fleet(HostView(name, 64, 65536, labels=labels) for name, labels in RACKS.items())
    for host, requests in placed.items():
        for number, request in enumerate(requests):
            fleet.add(f"{host}{number}", host, replace(request, vm=f"{host}{number}"))
    return fleet


def accepting(placed: Mapping[str, list[Request]], request: Request) -> str:
    """The hosts that would do, such as ``ac``."""
    decision = place(fleet_with(placed), request, SPREAD, now=NOW)
    return "".join(sorted(candidate.host for candidate in decision.accepted))


def reason(placed: Mapping[str, list[Request]], request: Request, host: str) -> Reason:
    decision = place(fleet_with(placed), request, SPREAD, now=NOW)
    reasons = {refusal.host: refusal.reasons for refusal in decision.refused}[host]
    assert len(reasons) == 1
    return reasons[0]


@pytest.mark.parametrize(
    ("placed", "request_", "hosts"),
    [
        ({"b": [DB]}, replace(VM, affinity=("group:db",)), "b"),
        ({"b": [DB], "d": [DB, DB]}, replace(VM, affinity=("group:db",)), "bd"),
        ({"b": [WEB]}, replace(VM, affinity=("tier=web",)), "b"),
        ({"b": [WEB], "c": [DB]}, replace(VM, affinity=("group:db", "tier=web")), ""),
        ({"b": [WEB, DB], "c": [DB]}, replace(VM, affinity=("group:db", "tier=web")), "b"),
        ({"b": [VM, VM]}, replace(VM, affinity=("vm:b1",)), "b"),
        # The first of a group goes anywhere; a VM that is not there is nowhere.
        ({"b": [WEB]}, replace(VM, affinity=("group:db",)), "abcd"),
        ({"b": [WEB]}, replace(VM, affinity=("group:db", "tier=web")), "b"),
        ({}, replace(VM, affinity=("vm:b1",)), ""),
        # In one rack with them, or in any whose rack is known while there is nobody.
        ({"b": [DB]}, replace(VM, affinity=("group:db@rack",)), "ab"),
        ({"b": [DB]}, replace(VM, affinity=("group:db@rack", "group:db")), "b"),
        ({"b": [DB], "c": [DB]}, replace(VM, affinity=("group:db@rack",), anti_affinity=("group:db",)), "a"),
        ({}, replace(VM, affinity=("group:db@rack",)), "abc"),
        ({"d": [DB]}, replace(VM, affinity=("group:db@rack",)), ""),
        ({"c": [VM]}, replace(VM, affinity=("vm:c0@rack",)), "c"),
        ({"d": [VM]}, replace(VM, affinity=("vm:d0@rack",)), ""),
        ({"b": [DB]}, replace(VM, affinity=("group:db@host",)), "b"),
        # What another project calls its groups is its own; a VM has one name.
        ({"b": [replace(DB, project="red")]}, replace(VM, affinity=("group:db",)), "abcd"),
        ({"b": [replace(DB, project="red")]}, replace(VM, project="red", affinity=("group:db",)), "b"),
        ({"b": [replace(DB, project="red")]}, replace(VM, affinity=("vm:b0",)), "b"),
    ],
)
def test_a_vm_goes_where_those_are_that_it_needs(
    placed: dict[str, list[Request]], request_: Request, hosts: str
) -> None:
    assert accepting(placed, request_) == hosts


@pytest.mark.parametrize(
    ("placed", "request_", "hosts"),
    [
        ({"b": [DB]}, replace(VM, anti_affinity=("group:db",)), "acd"),
        ({"b": [DB], "c": [WEB]}, replace(VM, anti_affinity=("group:db", "tier=web")), "ad"),
        ({"b": [VM], "c": [VM]}, replace(VM, anti_affinity=("vm:c0", "vm:x")), "abd"),
        ({"b": [replace(DB, project="red")]}, replace(VM, anti_affinity=("group:db",)), "abcd"),
        # It counts from both sides.
        ({"b": [replace(VM, anti_affinity=("group:db",))]}, DB, "acd"),
        ({"b": [replace(VM, anti_affinity=("tier=web",))]}, WEB, "acd"),
        ({"b": [replace(VM, anti_affinity=("vm:new",))]}, replace(VM, vm="new"), "acd"),
        ({"b": [replace(VM, anti_affinity=("group:db",))]}, VM, "abcd"),
        ({"b": [replace(VM, anti_affinity=("group:db",), project="red")]}, DB, "abcd"),
        ({"b": [replace(VM, anti_affinity=("vm:new",), project="red")]}, replace(VM, vm="new"), "acd"),
        # Near and far may be a rack: it then has to be known which.
        ({"b": [DB]}, replace(VM, anti_affinity=("group:db@rack",)), "c"),
        ({"b": [DB]}, replace(VM, anti_affinity=("group:db@host",)), "acd"),
        ({"d": [DB]}, replace(VM, anti_affinity=("group:db@rack",)), "abc"),
        ({}, replace(VM, anti_affinity=("group:db@rack",)), "abc"),
        ({"b": [VM]}, replace(VM, anti_affinity=("vm:b0@rack", "vm:x@rack")), "c"),
        ({"b": [DB]}, replace(VM, anti_affinity=("group:db@row",)), ""),
        ({"b": [replace(VM, anti_affinity=("group:db@rack",))]}, DB, "cd"),
        ({"b": [replace(VM, anti_affinity=("vm:new@rack",), project="red")]}, replace(VM, vm="new"), "cd"),
        ({"b": [replace(VM, anti_affinity=("group:db@rack",), project="red")]}, DB, "abcd"),
        # Whoever got to a host that is in no rack is there alone.
        ({"d": [replace(VM, anti_affinity=("group:db@rack",))]}, DB, "abc"),
        ({"a": [replace(DB, anti_affinity=("group:db@rack",))]}, replace(DB, anti_affinity=("group:db@rack",)), "c"),
        # A group that keeps away from itself, host by host.
        ({"b": [replace(DB, anti_affinity=("group:db",))]}, replace(DB, anti_affinity=("group:db",)), "acd"),
    ],
)
def test_a_vm_goes_where_nobody_is_that_does_not_get_on_with_it(
    placed: dict[str, list[Request]], request_: Request, hosts: str
) -> None:
    assert accepting(placed, request_) == hosts


RACK = (Spread("rack", 1),)


@pytest.mark.parametrize(
    ("placed", "request_", "hosts"),
    [
        ({}, replace(DB, spread=RACK), "abc"),  # what would fall with d is not known
        ({"a": [DB]}, replace(DB, spread=RACK), "c"),
        ({"a": [DB]}, replace(DB, spread=(Spread("rack", 2),)), "abc"),
        ({"a": [DB], "b": [DB]}, replace(DB, spread=(Spread("rack", 2),)), "c"),
        ({"a": [DB], "c": [DB]}, replace(DB, spread=RACK), ""),
        ({"a": [DB]}, replace(DB, spread=(Spread("host", 1),)), "bcd"),
        ({"a": [DB]}, replace(DB, spread=(Spread("rack", 2), Spread("host", 1))), "bc"),
        ({"a": [WEB]}, replace(WEB, spread=(Spread("rack", 1, "tier"),)), "c"),
        ({"a": [WEB]}, replace(VM, labels={"tier": "db"}, spread=(Spread("rack", 1, "tier"),)), "abc"),
        ({"a": [replace(DB, project="red")]}, replace(DB, spread=RACK), "abc"),
        # A limit binds everybody whom it counts, also those who say nothing.
        ({"a": [replace(DB, spread=RACK)]}, DB, "cd"),
        ({"a": [replace(DB, spread=(Spread("host", 1),))]}, DB, "bcd"),
        ({"a": [replace(DB, spread=(Spread("rack", 2),))]}, DB, "abcd"),
        ({"a": [replace(DB, spread=(Spread("rack", 2),))], "b": [DB]}, DB, "cd"),
        ({"a": [replace(DB, spread=(Spread("rack", 2),))], "b": [DB]}, replace(DB, spread=(Spread("rack", 9),)), "c"),
        ({"a": [DB], "b": [DB], "c": [replace(DB, spread=RACK)]}, DB, "abd"),
        ({"a": [replace(WEB, spread=(Spread("rack", 1, "tier"),))]}, WEB, "cd"),
        ({"a": [replace(WEB, spread=(Spread("rack", 1, "tier"),))]}, replace(WEB, labels={"tier": "db"}), "abcd"),
        ({"a": [replace(DB, spread=RACK, project="red")]}, DB, "abcd"),
        ({"a": [replace(DB, spread=RACK)]}, VM, "abcd"),
        # Whoever got to a host that is in no rack is there alone.
        ({"d": [replace(DB, spread=RACK)]}, DB, "abc"),
        # Nothing says which VMs are counted.
        ({"a": [DB]}, replace(VM, spread=RACK), "abcd"),
        ({"a": [DB]}, replace(DB, spread=(Spread("rack", 1, "tier"),)), "abcd"),
    ],
)
def test_a_kind_of_vms_is_spread_over_domains(placed: dict[str, list[Request]], request_: Request, hosts: str) -> None:
    assert accepting(placed, request_) == hosts


def test_a_vm_that_is_there_already_is_no_company_to_itself() -> None:
    alone = replace(DB, vm="a0", affinity=("group:db",), anti_affinity=("group:db",), spread=RACK)
    placed = {"a": [alone], "c": [DB]}
    assert accepting({"a": [alone]}, alone) == "abc"
    assert accepting(placed, replace(alone, affinity=())) == "ab"
    assert accepting(placed, replace(alone, anti_affinity=(), spread=())) == "c"
    # Another of its kind is.
    assert accepting(placed, replace(alone, vm="new", affinity=(), anti_affinity=())) == ""


@pytest.mark.parametrize(
    ("placed", "request_", "host"),
    [
        ({"c": [DB]}, replace(VM, prefer_with=("group:db",)), "c"),
        ({"a": [DB], "b": [DB], "c": [DB]}, replace(VM, prefer_apart=("group:db",)), "d"),
        ({"a": [DB] * 3, "b": [DB] * 2, "c": [DB], "d": [DB] * 2}, replace(VM, prefer_apart=("group:db",)), "c"),
        ({"c": [DB, WEB], "d": [DB]}, replace(VM, prefer_with=("group:db",), prefer_apart=("tier=web",)), "d"),
        ({}, replace(VM, prefer_with=("vm:nobody",)), "a"),
        ({"a": [DB], "d": [DB]}, replace(VM, prefer_apart=("group:db@rack",)), "c"),
        ({"a": [DB] * 2, "c": [DB]}, replace(VM, prefer_with=("group:db@rack",), prefer_apart=("group:db",)), "b"),
        # Of a host in no rack nothing is known to be near or away.
        ({"a": [DB], "b": [DB], "c": [DB]}, replace(VM, prefer_apart=("group:db@rack",)), "c"),
    ],
)
@pytest.mark.parametrize("policy", [SPREAD, PACK], ids=lambda policy: policy.name)
def test_a_wish_decides_and_refuses_nobody(
    placed: dict[str, list[Request]], request_: Request, host: str, policy: Policy
) -> None:
    decision = place(fleet_with(placed), request_, policy, now=NOW)
    assert (decision.host, decision.refused) == (host, ())


def test_who_has_no_wish_is_not_judged_by_any() -> None:
    decision = place(fleet_with({"a": [DB]}), VM, SPREAD, now=NOW)
    assert {part.scorer for part in decision.accepted[0].parts} == SPREAD.weights.keys() - {"soft_affinity"}


def test_refusals_name_who_is_in_the_way() -> None:
    placed = {"a": [DB, DB], "b": [WEB], "c": [replace(VM, anti_affinity=("tier=web",))]}
    wants = reason(placed, replace(VM, affinity=("group:db", "vm:x")), "b")
    assert wants.message == "to be with group:db, vm:x, and group:db is on a; vm:x is on no host"
    assert wants.numbers == {"missing": {"group:db": ["a"], "vm:x": []}}
    shuns = reason(placed, replace(VM, anti_affinity=("group:db",)), "a")
    assert shuns.message == "2 VMs of group:db are there"
    assert shuns.numbers == {"there": {"group:db": 2}, "averse": {}}
    shunned = reason(placed, WEB, "c")
    assert shunned.message == "1 VM there keeps away from tier=web"
    assert shunned.numbers == {"there": {}, "averse": {"tier=web": 1}}
    spread = replace(DB, spread=(Spread("rack", 2),))
    assert reason(placed, spread, "b").message == "rack r1 has 2 of group:db, 2 at most"
    assert reason(placed, spread, "d").message == "it has no label rack to spread by"
    by_host = reason(placed, replace(DB, spread=(Spread("host", 1),)), "a")
    assert by_host.message == "host a has 2 of group:db, 1 at most"
    near = reason({"a": [DB], "c": [DB]}, replace(VM, affinity=("group:db@rack",), host_labels={}), "d")
    assert near.message == "to be with group:db@rack, and it has no label rack"
    assert near.numbers == {"missing": {"group:db@rack": ["a", "c"]}}
    racks = reason({"a": [DB], "b": [DB]}, replace(VM, affinity=("group:db@rack",)), "c")
    assert racks.message == "to be with group:db@rack, and group:db is in rack r1"
    away = replace(VM, anti_affinity=("group:db@rack", "vm:x"))
    assert reason({"a": [DB], "b": [DB]}, away, "a").message == "2 VMs of group:db are in rack r1"
    unknown = reason({"a": [DB], "b": [DB]}, away, "d")
    assert unknown.message == "it has no label rack to keep away from group:db@rack by"
    assert unknown.numbers == {"there": {}, "averse": {}, "unknown": ["group:db@rack"]}
    averse = reason({"a": [replace(VM, anti_affinity=("tier=web@rack",))] * 2}, WEB, "b")
    assert averse.message == "2 VMs in rack r1 keep away from tier=web@rack"
    assert averse.numbers == {"there": {}, "averse": {"tier=web@rack": 2}}
    limited = reason({"a": [replace(DB, spread=RACK)]}, DB, "b")
    assert limited.message == "rack r1 has 1 of group:db, 1 at most for 1 VM there"
    assert limited.numbers == {
        "over": [{"by": "rack", "domain": "r1", "term": "group:db", "there": 1, "at_most": 1, "claimed_by": 1}],
    }
    assert by_host.numbers == {
        "over": [{"by": "host", "domain": "a", "term": "group:db", "there": 2, "at_most": 1}],
    }


@pytest.mark.parametrize(
    ("placed", "request_", "offers"),
    [
        (
            {name: [DB] for name in "abcd"},
            replace(VM, anti_affinity=("group:db",)),
            [("without anti-affinity to group db", "a")],
        ),
        # One of them has to go, not both; and not where it takes two.
        (
            {"a": [DB, WEB], "b": [WEB], "c": [DB, WEB], "d": [DB, WEB]},
            replace(VM, anti_affinity=("group:db", "tier=web")),
            [("without anti-affinity to label tier=web", "b")],
        ),
        (
            {"b": [DB], "c": [WEB]},
            replace(VM, affinity=("group:db", "tier=web")),
            [("without affinity to label tier=web", "b")],
        ),
        ({}, replace(VM, affinity=("vm:x",)), [("without affinity to VM x", "a")]),
        (
            {"a": [DB], "c": [DB]},
            replace(VM, anti_affinity=("group:db@rack", "tier=web")),
            [("without anti-affinity to group db by rack", "b")],
        ),
        ({"d": [DB]}, replace(VM, affinity=("group:db@rack",)), [("without affinity to group db by rack", "a")]),
        # Others have said that, and it is not for the request to take back: they would have to go.
        ({name: [replace(DB, spread=RACK)] for name in "acd"}, DB, [("without VM a0", "a")]),
        ({name: [replace(VM, anti_affinity=("group:db",))] for name in "abcd"}, DB, [("without VM a0", "a")]),
        ({name: [replace(VM, anti_affinity=("vm:v",), project="red")] for name in "abcd"}, replace(DB, vm="v"), []),
        (
            {"a": [DB], "b": [DB], "c": [DB]},
            replace(DB, spread=(Spread("rack", 1),)),
            [("2 of group db on one rack, not 1 at most", "c")],
        ),
        (
            {name: [DB] * number for number, name in enumerate("abcd", start=2)},
            replace(DB, spread=(Spread("host", 1),)),
            [("3 of group db on one host, not 1 at most", "a")],
        ),
        ({"a": [WEB], "c": [WEB]}, replace(WEB, spread=(Spread("row", 1, "tier"),)), [("without spread by row", "b")]),
    ],
)
def test_what_would_make_it_fit_is_offered(
    placed: dict[str, list[Request]], request_: Request, offers: list[tuple[str, str]]
) -> None:
    remedies = place(fleet_with(placed), request_, SPREAD, now=NOW).remedies
    assert [(one.text, one.host) for one in remedies] == offers
    for one in remedies:
        fleet = fleet_with(placed)
        for vm in one.leaving:
            fleet.remove(vm)
        assert place(fleet, one.request, SPREAD, now=NOW).host == one.host


# Few names, so that they meet.
names = st.sampled_from(["vm-0", "vm-1", "vm-2", "vm-9"])
whoms = ["group:g", "group:h", "tier=x", "tier=y", "zone=x", "vm:vm-0", "vm:vm-1", "vm:vm-9"]
terms = st.sampled_from([*whoms, *(f"{whom}@{by}" for whom in whoms for by in ("rack", "zone", "host"))])
some_terms = st.just(()) | st.lists(terms, max_size=2, unique=True).map(tuple)
limits = st.builds(
    Spread, st.sampled_from(["rack", "zone", "host"]), st.integers(1, 3), st.none() | st.sampled_from(["tier", "zone"])
)
requests = st.builds(
    Request,
    cpu=st.just(1),
    ram_mib=st.sampled_from([64, 512]),
    labels=st.dictionaries(st.sampled_from(["tier", "zone"]), st.sampled_from(["x", "y"]), max_size=2),
    group=st.sampled_from([None, "g", "g", "h"]),
    project=st.sampled_from(["default", "default", "default", "red"]),
    affinity=some_terms,
    anti_affinity=some_terms,
    prefer_with=some_terms,
    prefer_apart=some_terms,
    spread=st.just(()) | st.lists(limits, max_size=2, unique=True).map(tuple),
    vm=st.none() | names,
)
views = st.builds(
    HostView,
    id=st.just(""),
    cpu=st.sampled_from([1, 2, 8]),
    ram_mib=st.just(65536),
    cpu_overcommit=st.just(1.0),
    labels=st.dictionaries(st.sampled_from(["rack", "zone"]), st.sampled_from(["1", "2"]), max_size=2),
)
hosts = st.lists(views, min_size=1, max_size=5).map(
    lambda found: [replace(view, id=f"node{number}") for number, view in enumerate(found)]
)


class Twins:
    """One fleet asked through a scheduler that is kept, and the same host by host."""

    def __init__(self, views: list[HostView], policy: Policy) -> None:
        self.policy = policy
        self.fleet = Fleet(views)
        self.scheduler = Scheduler(self.fleet, policy)
        self.machines = [reference.Machine(view, policy.limits) for view in views]
        self.count = 0

    def ask(self, request: Request) -> str | None:
        decision = self.scheduler.place(request, now=NOW)
        answer = reference.decide(self.machines, request, self.policy, self.fleet.mix.shares, NOW)
        reference.check(decision, answer)
        assert decision == place(self.fleet, request, self.policy, now=NOW)
        return decision.host

    def take(self, request: Request) -> None:
        """As the scheduler says, under a name of its own."""
        named = replace(request, vm=f"vm-{self.count}")
        host = self.ask(named)
        if host is not None:
            self.lie(named, host)

    def lie(self, request: Request, host: str) -> None:
        named = replace(request, vm=f"vm-{self.count}")
        self.scheduler.take(str(named.vm), host, named)
        self.machines[self.fleet.rows[host]].vms.append((named, ()))
        self.count += 1

    def put(self, request: Request, number: int) -> None:
        """Wherever it may be, as somebody did who did not ask."""
        self.lie(request, self.machines[number % len(self.machines)].view.id)

    def remove(self, number: int) -> None:
        lying = [(machine, place) for machine in self.machines for place in machine.vms]
        if lying:
            machine, place = lying[number % len(lying)]
            machine.vms.remove(place)
            self.fleet.remove(str(place[0].vm))


steps = st.one_of(
    st.tuples(st.just("take"), requests),
    st.tuples(st.just("put"), requests, st.integers(0, 4)),
    st.tuples(st.just("remove"), st.integers(0, 20)),
)


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(hosts, st.sampled_from([SPREAD, PACK, EVERYTHING]), st.lists(steps, max_size=14), st.lists(requests, max_size=3))
def test_a_history_in_company_is_read_as_plainly(
    views: list[HostView], policy: Policy, happens: list[tuple[object, ...]], recurring: list[Request]
) -> None:
    twins = Twins(views, policy)
    for name, *arguments in happens:
        for request in recurring:
            twins.ask(request)
        getattr(twins, str(name))(*arguments)
    for request in recurring:
        twins.ask(request)


@settings(deadline=None, max_examples=60)
@given(hosts, st.lists(requests, max_size=14))
def test_no_placement_breaks_a_hard_rule(views: list[HostView], wanted: list[Request]) -> None:
    """They keep away from whom they said, and nobody's limit is passed, whoever comes."""
    twins = Twins(views, SPREAD)
    for request in wanted:
        named = replace(request, vm=f"vm-{twins.count}")
        host = twins.ask(named)
        if host is None:
            continue
        twins.lie(named, host)
        for machine in twins.machines:
            machine.fleet = twins.machines
            assert all(reference_company.anti_affinity(machine, vm) for vm, _nodes in machine.vms)
            assert all(reference_company.spread(machine, vm) for vm, _nodes in machine.vms)
        machine = twins.machines[twins.fleet.rows[host]]
        assert reference_company.affinity(machine, named)
        assert reference_company.spread(machine, named)


@settings(deadline=None, max_examples=60)
@given(hosts, st.lists(st.tuples(requests, st.integers(0, 4)), max_size=8), views, requests)
def test_another_host_without_vms_never_makes_a_feasible_request_infeasible(
    views: list[HostView], placed: list[tuple[Request, int]], another: HostView, request: Request
) -> None:
    before, after = Fleet(views), Fleet([*views, replace(another, id="node9")])
    for number, (vm, host) in enumerate(placed):
        for fleet in (before, after):
            fleet.add(f"vm-{number}", views[host % len(views)].id, replace(vm, vm=f"vm-{number}"))
    kept = {one.host for one in place(after, request, SPREAD, now=NOW).accepted} - {"node9"}
    assert kept == {one.host for one in place(before, request, SPREAD, now=NOW).accepted}


@settings(deadline=None, max_examples=60)
@given(hosts, st.lists(st.tuples(requests, st.integers(0, 4)), min_size=2, max_size=8), requests)
def test_what_is_offered_would_do(views: list[HostView], placed: list[tuple[Request, int]], request: Request) -> None:
    fleet = Fleet(views)
    for number, (vm, host) in enumerate(placed):
        fleet.add(f"vm-{number}", views[host % len(views)].id, replace(vm, vm=f"vm-{number}"))
    for remedy in place(fleet, request, SPREAD, now=NOW).remedies:
        assert remedy.opened is None
        changed = fleet.copy()
        for vm in remedy.leaving:
            assert fleet.request_of(vm).project == request.project
            changed.remove(vm)
        assert place(changed, remedy.request, SPREAD, now=NOW).host == remedy.host
