"""A decision that is kept tells what was so when it was given, and of many hosts what matters."""

from __future__ import annotations

import gc
import json
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.decision import HOSTS_SHOWN, Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.mix import RECENT
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import PACK, SPREAD
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.table import render

NOW = 1_000_000.0
SMALL = Request(1, 1024)


def large_fleet(hosts: int, **host: object) -> Fleet:
    return Fleet(HostView(f"node{number:04}", 8, 16384, **host) for number in range(hosts))  # type: ignore[arg-type]


def test_what_happens_later_changes_nothing_of_what_was_said() -> None:
    fleet = Fleet([HostView("a", 1, 8192), HostView("b", 1, 1024)])
    scheduler = Scheduler(fleet, PACK)
    kept, again = (scheduler.place(Request(1, 2048), now=NOW) for _turn in range(2))
    before = again.to_mapping()
    scheduler.take("vm-1", "a", Request(1, 4096))
    fleet.add("vm-2", "b", Request(4, 64))
    for _turn in range(RECENT):
        fleet.mix.note(Request(2, 2048))
    assert kept.to_mapping() == before
    assert kept == again
    assert [refusal.host for refusal in kept.refused] == ["b"]
    assert kept.refused[0].reasons[0].numbers["free_mib"] == 768


requests = st.builds(Request, st.integers(1, 4), st.sampled_from([512, 1024, 4096]), numa=st.integers(0, 1))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(requests, min_size=2, max_size=12), st.sampled_from([PACK, SPREAD]), st.data())
def test_decisions_read_at_the_end_are_those_read_at_once(wanted, policy, data) -> None:  # type: ignore[no-untyped-def]
    scheduler = Scheduler(large_fleet(3), policy)
    kept, at_once, alive = [], [], []
    for number, request in enumerate(wanted):
        kept.append(scheduler.place(request, now=NOW + number))
        at_once.append(scheduler.place(request, now=NOW + number).to_mapping())
        if kept[-1].host is not None:
            scheduler.take(f"vm-{number}", kept[-1].host, request)
            alive.append(f"vm-{number}")
        if alive and data.draw(st.booleans()):
            scheduler.fleet.remove(alive.pop(data.draw(st.integers(0, len(alive) - 1))))
    assert [decision.to_mapping() for decision in kept] == at_once


def test_a_fleet_remembers_no_more_than_somebody_may_ask_for() -> None:
    scheduler = Scheduler(large_fleet(2), PACK)
    first = weakref.ref(scheduler.fleet.moment)
    decision: Decision | None = scheduler.place(SMALL, now=NOW)
    scheduler.take("vm-1", "node0000", SMALL)
    second = weakref.ref(scheduler.fleet.moment)
    scheduler.take("vm-2", "node0000", SMALL)
    assert first() is not None
    assert second() is not None
    assert decision is not None
    decision = None
    gc.collect()
    assert first() is None
    assert second() is None


def test_of_many_hosts_the_best_are_told_and_all_counted() -> None:
    fleet = Fleet(HostView(f"node{number:04}", 8, 16384, cordoned=number % 2 == 1) for number in range(500))
    for number in range(0, 500, 4):
        fleet.add(f"vm-{number}", f"node{number:04}", SMALL)
    decision = place(fleet, SMALL, SPREAD, now=NOW)
    mapping = json.loads(json.dumps(decision.to_mapping()))
    assert mapping["hosts"] == {"accepted": 250, "refused": 250}
    assert len(mapping["accepted"]) == len(mapping["refused"]) == HOSTS_SHOWN
    assert [one["host"] for one in mapping["accepted"]] == [one.host for one in decision.accepted[:HOSTS_SHOWN]]
    assert mapping["accepted"][0]["host"] == mapping["host"] == "node0002"
    assert mapping["obstacles"] == [
        {"rule": "cordon", "hosts": 250, "alone": 250, "message": "node0001: the host is cordoned"}
    ]
    assert len(decision.accepted) == len(decision.refused) == 250


def test_of_many_that_refuse_those_nearest_to_accepting_are_told() -> None:
    hosts = [HostView(f"down{number:04}", 1, 512, state="down") for number in range(2 * HOSTS_SHOWN)]
    decision = place(Fleet([*hosts, HostView("near", 8, 2048)]), Request(1, 4096), now=NOW)
    told = decision.to_mapping()["refused"]
    assert len(told) == HOSTS_SHOWN
    assert told[-1]["host"] == "near"
    assert [one["host"] for one in told] == sorted(one["host"] for one in told)


def test_an_error_about_many_hosts_tells_rules() -> None:
    error = place(large_fleet(300), Request(1, 65536), now=NOW).no_capacity()
    assert error.message.startswith(
        "No host can take 1 virtual CPU and 64 GiB: memory refuses 300 of 300 hosts (node0000"
    )
    assert len(error.message) < 300
    assert len(error.details["hosts"]) == HOSTS_SHOWN
    assert error.details["obstacles"][0]["hosts"] == 300


def test_a_name_that_no_host_has_is_told_with_some_that_there_are() -> None:
    error = place(large_fleet(300), Request(1, 1024, host="nowhere"), now=NOW).no_capacity()
    assert error.hint is not None
    assert error.hint.startswith("there is no host nowhere; there are node0000, node0001")
    assert error.hint.endswith(", …")


def test_the_mapping_says_of_the_request_what_it_asks_for() -> None:
    request = Request(1, 1024, networks=frozenset({"b", "a"}), anti_affinity=("group:db",), pinned=True)
    mapping = place(large_fleet(1), request, now=NOW).to_mapping()["request"]
    assert mapping["networks"] == ["a", "b"]
    assert mapping["anti_affinity"] == ["group:db"]
    assert mapping["pinned"] is True
    assert "priority" not in mapping


def test_decisions_are_equal_by_what_they_say() -> None:
    one, other = (place(large_fleet(2), SMALL, PACK, now=NOW) for _turn in range(2))
    assert one == other
    assert one != place(large_fleet(3), SMALL, PACK, now=NOW)
    assert one != "a decision"
    with pytest.raises(TypeError):
        hash(one)


def test_the_table_of_many_hosts_ends() -> None:
    lines = render(place(large_fleet(300), SMALL, SPREAD, now=NOW)).splitlines()
    assert lines[1].startswith("node0000  chosen")
    assert lines[-1] == "and 200 more that would do"


def test_a_host_that_closes_later_did_take_vms() -> None:
    scheduler = Scheduler(large_fleet(2), SPREAD)
    first = scheduler.place(SMALL, now=NOW)
    scheduler.fleet.close("node0000")
    second = scheduler.place(SMALL, now=NOW)
    scheduler.fleet.close("node0001", "down")
    scheduler.fleet.open("node0000")
    assert [one.host for one in first.accepted] == ["node0000", "node0001"]
    assert [one.host for one in second.accepted] == ["node0001"]
    assert [reason.rule for reason in second.refused[0].reasons] == ["cordon"]
