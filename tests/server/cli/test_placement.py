"""What a placement says beside its hosts."""

from __future__ import annotations

from minicloud.cli.placement import notes_of, rows_of
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import SPREAD, Policy
from minicloud_core.scheduler.priority import Precedence
from minicloud_core.scheduler.request import Request

POLICY = Policy("strict", weights=SPREAD.weights, limits=Limits(1.0, 0), preemption=Precedence(10, 5))


def test_a_few_hosts_are_all_told_and_the_policy_is_named() -> None:
    placement = place(Fleet([HostView("a", 8, 8192)]), Request(1, 1024), SPREAD, now=0.0).to_mapping()
    assert notes_of(placement) == [f"policy spread, version {SPREAD.version}"]
    assert [row["verdict"] for row in rows_of(placement)] == ["chosen"]


def test_of_many_hosts_the_rest_is_counted() -> None:
    hosts = [HostView(f"node{number:04}", 8, 8192, cordoned=number >= 250) for number in range(1500)]
    placement = place(Fleet(hosts), Request(1, 1024), SPREAD, now=0.0).to_mapping()
    assert notes_of(placement)[:2] == [
        "and 150 more that would do",
        "and 1,150 more that refused; in all by rule: cordon 1,250",
    ]


def test_what_would_make_it_fit_is_said() -> None:
    placement = place(Fleet([HostView("a", 8, 8192)]), Request(1, 8192), SPREAD, now=0.0).to_mapping()
    assert "it would fit: 256 MiB less memory (on a)" in notes_of(placement)


def test_who_has_to_leave_is_named() -> None:
    scheduler = Scheduler(Fleet([HostView("a", 1, 8192)]), POLICY)
    scheduler.take("vm-1", "a", Request(1, 1024, priority=1))
    placement = scheduler.place(Request(1, 1024, priority=10), now=0.0, preempt=True).to_mapping()
    assert "takes the place of vm-1 (priority 1)" in notes_of(placement)


def test_a_placement_of_before_is_read_too() -> None:
    assert notes_of({"host": "a", "accepted": [{"host": "a", "score": 1.0}], "refused": []}) == []
