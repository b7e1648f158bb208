"""A project's own rules, and groups of hosts with figures of their own, at work."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, Power
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import BALANCED, CRITICAL, ENERGY, PACK, POLICIES, SPREAD, Policy
from minicloud_core.scheduler.policy_document import read_policy
from minicloud_core.scheduler.request import Request

SECTIONS = read_policy(
    {
        "name": "sections",
        "extends": "spread",
        "projects": {
            "batch": {"extends": "pack"},
            "wild": {"filters": ["memory"], "weights": {"pack": 1}},
            "turning": {"full": {"at": 0.2, "weights": {"pack": 1}}},
        },
        "host_groups": [{"labels": {"tier": "gold"}, "limits": {"cpu_overcommit": 1, "ram_reserved": "2G"}}],
    }
)
PROJECTS = ("default", *SECTIONS.projects)


def test_each_project_is_placed_by_its_own_rules() -> None:
    fleet = Fleet([HostView("a", 8, 16384), HostView("b", 8, 16384, allocated_cpu=4, allocated_ram_mib=4096)])
    hosts = {project: place(fleet, Request(1, 1024, project=project), SECTIONS, now=0.0).host for project in PROJECTS}
    assert hosts == {"default": "a", "batch": "b", "wild": "b", "turning": "a"}


def test_a_project_may_leave_out_what_others_must_keep() -> None:
    fleet = Fleet([HostView("a", 8, 16384, state="down")])
    assert place(fleet, Request(1, 1024, project="wild"), SECTIONS, now=0.0).host == "a"
    assert place(fleet, Request(1, 1024), SECTIONS, now=0.0).host is None


def test_a_decision_names_the_whole_policy() -> None:
    fleet = Fleet([HostView("a", 8, 16384)])
    decision = place(fleet, Request(1, 1024, project="batch"), SECTIONS, now=0.0)
    assert (decision.policy, decision.policy_version) == ("sections", SECTIONS.version)


hosts = st.builds(
    lambda number, cpu, ram, labels, used: HostView(
        f"h{number}", cpu, ram, labels=labels, allocated_cpu=used, allocated_ram_mib=used * 512
    ),
    st.integers(0, 9),
    st.integers(1, 8),
    st.integers(1024, 8192),
    st.sampled_from([{}, {"tier": "gold"}]),
    st.integers(0, 8),
)
fleets = st.lists(hosts, min_size=1, max_size=5, unique_by=lambda host: host.id)
requests = st.builds(Request, st.integers(1, 4), st.integers(256, 4096), project=st.sampled_from(PROJECTS))


@given(fleets, st.lists(requests, min_size=1, max_size=6))
def test_a_project_is_served_as_if_its_rules_were_the_policy(views: list[HostView], asked: list[Request]) -> None:
    """Whoever was asked for before, of whichever project: what a kept scheduler remembers of one misleads no other."""
    kept, alone = Fleet(views), Fleet(views)
    scheduler = Scheduler(kept, SECTIONS)
    for number, request in enumerate(asked):
        given_answer = scheduler.place(request, now=0.0)
        own = place(alone, request, SECTIONS.of(request.project), now=0.0)
        assert (given_answer.host, given_answer.accepted, given_answer.refused) == (own.host, own.accepted, own.refused)
        if own.host is not None:
            scheduler.take(f"vm{number}", own.host, request)
            Scheduler(alone, SECTIONS).take(f"vm{number}", own.host, request)


def test_every_shipped_policy_keeps_every_usual_filter() -> None:
    assert {policy.filters for policy in POLICIES.values()} == {BALANCED.filters, CRITICAL.filters}
    assert set(BALANCED.filters) <= set(CRITICAL.filters)


def test_energy_fills_hosts_that_are_on_and_efficient_ones_first() -> None:
    thirsty, frugal = Power(idle_w=200, max_w=600), Power(idle_w=60, max_w=200)
    fleet = Fleet(
        [
            HostView("asleep", 16, 65536, power=frugal),
            HostView("frugal", 16, 65536, power=frugal, allocated_cpu=2, allocated_ram_mib=4096),
            HostView("thirsty", 16, 65536, power=thirsty, allocated_cpu=20, allocated_ram_mib=32768),
        ]
    )
    decision = place(fleet, Request(2, 4096), ENERGY, now=0.0)
    assert [candidate.host for candidate in decision.accepted] == ["frugal", "thirsty", "asleep"]
    assert place(fleet, Request(2, 4096), SPREAD, now=0.0).host == "asleep"


def test_critical_promises_nothing_twice() -> None:
    fleet = Fleet([HostView("a", 4, 16384, allocated_cpu=3), HostView("b", 4, 16384, allocated_cpu=3)])
    (reason, *_others) = place(fleet, Request(2, 1024), CRITICAL, now=0.0).refused[0].reasons
    assert (reason.rule, reason.numbers["overcommit"]) == ("cpu", 1.0)
    assert place(fleet, Request(2, 1024), SPREAD, now=0.0).host == "a"


def test_critical_leaves_hosts_alone_that_failed_lately_or_are_silent() -> None:
    now = 1_000_000.0
    usual = replace(CRITICAL, filters=BALANCED.filters)
    steady = HostView("steady", 8, 32768, allocated_cpu=3, allocated_ram_mib=9000, load=0.3, load_at=now)
    shaky = HostView("shaky", 8, 32768, load=0.1, load_at=now, failures=(now - 600,))
    silent = HostView("silent", 8, 32768, load=0.0, load_at=now - 3600)
    decision = place(Fleet([steady, shaky, silent]), Request(1, 1024), usual, now=now)
    assert decision.host == "steady"
    assert [(refusal.host, refusal.reasons[0].rule) for refusal in decision.refused] == [("silent", "metrics")]


def test_what_no_section_touches_stays_what_it_was() -> None:
    assert Policy("pack", weights=PACK.weights).version == PACK.version
    assert "projects" not in PACK.to_mapping()
    assert "host_groups" not in PACK.to_mapping()
