"""How many VMs a host creates at once."""

from __future__ import annotations

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import HostGroup, Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import SPREAD, Policy
from minicloud_core.scheduler.request import Request

NOW = 1_000_000.0
ASKED = Request(1, 1024)
TWO = Policy("two", weights=SPREAD.weights, limits=Limits(creates_at_once=2))


def host(name: str, creating: int, **labels: str) -> HostView:
    return HostView(name, 8, 16384, creating=creating, labels=labels)


def test_a_host_with_as_many_as_it_may_refuses() -> None:
    decision = place(Fleet([host("a", 2), host("b", 1)]), ASKED, TWO, now=NOW)
    assert decision.host == "b"
    (refusal,) = decision.refused
    assert refusal.reasons[0].to_mapping() == {
        "rule": "creates",
        "message": "2 VMs are being created there, 2 at once at most",
        "numbers": {"creating": 2, "limit": 2},
    }


def test_a_group_of_hosts_may_have_a_number_of_its_own() -> None:
    fast = HostGroup({"disk": "nvme"}, creates_at_once=10)
    policy = Policy("fast", limits=Limits(creates_at_once=1, groups=(fast,)))
    decision = place(Fleet([host("a", 5), host("b", 5, disk="nvme")]), ASKED, policy, now=NOW)
    assert [one.host for one in decision.accepted] == ["b"]


def test_without_a_number_nobody_counts() -> None:
    assert place(Fleet([host("a", 1000)]), ASKED, now=NOW).host == "a"


def test_a_kept_scheduler_heeds_what_changes() -> None:
    fleet = Fleet([host("a", 0)])
    scheduler = Scheduler(fleet, TWO)
    first = scheduler.place(ASKED, now=NOW)
    fleet.set_creating("a", 2)
    second = scheduler.place(ASKED, now=NOW)
    fleet.set_creating("a", 1)
    assert scheduler.choose(ASKED, now=NOW) == "a"
    assert (first.host, second.host) == ("a", None)
    assert [one.host for one in first.accepted] == ["a"]
    assert second.refused[0].reasons[0].numbers == {"creating": 2, "limit": 2}
    view = fleet.host("a")
    assert view is not None
    assert view.creating == 1
