"""What is said to make a refused request fit does make it fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.model.units import GIB
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode, Pool
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import place
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler.test_properties import fleets, policies, requests
from tests.unit.scheduler.test_reference import Scene, cases

NOW = 1_000_000.0
vms_on_hosts = st.builds(
    Request,
    cpu=st.integers(1, 3),
    ram_mib=st.sampled_from([1024, 2048, 4096]),
    numa=st.sampled_from([0, 0, 0, 1]),
    group=st.sampled_from([None, "g"]),
    anti_affinity=st.sampled_from([(), (), ("group:g",)]),
    pinned=st.booleans(),
    priority=st.integers(0, 2),
)
POLICY = Policy("plain", limits=Limits(cpu_overcommit=1.0, ram_reserved_mib=0))
SMALL = HostView("small", cpu=4, ram_mib=4096, disk_bytes=10 * GIB)
LARGE = HostView("large", cpu=8, ram_mib=8192, disk_bytes=20 * GIB)


def decide(request: Request, *hosts: HostView) -> Decision:
    return place(Fleet(hosts), request, POLICY, now=NOW)


def offered(request: Request, *hosts: HostView) -> list[tuple[str, str]]:
    return [(remedy.text, remedy.host) for remedy in decide(request, *hosts).remedies]


def test_who_found_a_host_is_offered_nothing() -> None:
    assert offered(Request(1, 512), SMALL) == []


def test_less_of_one_thing_is_the_least_that_will_do() -> None:
    assert offered(Request(2, 10240), SMALL, LARGE) == [("2 GiB less memory", "large")]
    assert offered(Request(9, 512), SMALL, LARGE) == [("1 virtual CPU fewer", "large")]
    assert offered(Request(1, 512, 25 * GIB), SMALL, LARGE) == [("5 GiB less disk", "large")]


def test_less_of_two_things_is_offered_where_one_is_not_enough() -> None:
    assert offered(Request(10, 10240), LARGE) == [("2 virtual CPUs fewer and 2 GiB less memory", "large")]
    wide = HostView("wide", cpu=16, ram_mib=1024)
    # On "wide" less memory alone will do, if much less.
    assert offered(Request(10, 10240), LARGE, wide) == [("9 GiB less memory", "wide")]


def test_whole_cpus_are_offered_to_who_asks_for_whole_ones() -> None:
    used = replace(SMALL, allocated_cpu=2.5)
    assert offered(Request(2, 512), used) == [("1 virtual CPU fewer", "small")]
    assert offered(Request(1.75, 512), used) == [("0.25 virtual CPUs fewer", "small")]
    # Half a CPU is no whole one, and none is no offer.
    assert offered(Request(1, 512), replace(SMALL, allocated_cpu=3.5)) == []


@pytest.mark.parametrize(
    ("change", "text"), [({"cordoned": True}, "uncordon small"), ({"state": "down"}, "small ready again")]
)
def test_a_host_that_takes_no_vms_may_be_opened(change: dict[str, object], text: str) -> None:
    closed = replace(SMALL, **change)  # type: ignore[arg-type]
    assert offered(Request(1, 512), closed) == [(text, "small")]
    assert offered(Request(1, 512), replace(closed, allocated_ram_mib=4096)) == []


def test_a_condition_that_alone_is_in_the_way_may_go() -> None:
    full = replace(SMALL, allocated_ram_mib=4000)
    assert offered(Request(1, 512, host="small"), full, LARGE) == [
        ("416 MiB less memory", "small"),
        ("on another host than small", "large"),
    ]
    nodes = replace(LARGE, numa=(NumaNode(4, 4096), NumaNode(4, 4096)))
    assert ("without NUMA nodes of its own", "large") in offered(Request(6, 1024, numa=1), nodes)


def test_less_of_a_pool_or_of_the_network_is_the_least_that_will_do() -> None:
    ssd = replace(SMALL, pools={"ssd": Pool(10 * GIB, 4 * GIB), "hdd": Pool(8 * GIB)}, bandwidth_mbps=100)
    assert offered(Request(1, 512, pools={"ssd": 8 * GIB, "hdd": GIB}), ssd) == [("2 GiB less in pool ssd", "small")]
    both = Request(1, 512, pools={"ssd": 8 * GIB, "hdd": 9 * GIB})
    assert offered(both, ssd) == [("1 GiB less in pool hdd and 2 GiB less in pool ssd", "small")]
    assert offered(Request(1, 512, bandwidth_mbps=150), ssd, LARGE) == [("50 Mbit/s less bandwidth", "small")]
    # Of a pool that is not there, less is no help.
    assert offered(Request(1, 512, pools={"tape": 1}), ssd) == []


def test_what_a_host_has_not_may_be_gone_without_the_fewest_things() -> None:
    racked = replace(SMALL, labels={"rack": "a"}, cpu_features=frozenset({"aes"}), networks=frozenset({"lan"}))
    wanted = Request(1, 512, host_labels={"rack": "a", "disk": "ssd"})
    assert offered(wanted, LARGE, racked) == [("without label disk=ssd", "small")]
    assert offered(Request(1, 512, host_labels={"rack": "b", "room": "2"}), racked) == [
        ("without labels rack=b, room=2", "small")
    ]
    features = Request(1, 512, cpu_features=frozenset({"aes", "avx2"}))
    assert offered(features, LARGE, racked) == [("without CPU feature avx2", "small")]
    assert offered(Request(1, 512, networks=frozenset({"lan", "dmz"})), racked) == [("without network dmz", "small")]
    assert offered(Request(1, 512, machine="q35"), racked) == [("without machine type q35", "small")]
    assert offered(Request(1, 512, architecture="x86_64"), racked) == [("without architecture x86_64", "small")]
    # Two rules in the way: neither alone will do.
    assert offered(replace(features, host_labels={"rack": "b"}), racked) == []


def crowded(**vms: Request) -> Fleet:
    """One host on which nothing but VMs' going makes room for who must not have less."""
    fleet = Fleet([SMALL])
    for vm, request in vms.items():
        fleet.add(vm, "small", replace(request, vm=vm))
    return fleet


def leaving(fleet: Fleet, request: Request) -> list[tuple[str, tuple[str, ...]]]:
    moment = fleet.moment
    decision = place(fleet, request, POLICY, now=NOW)
    found = [(remedy.text, remedy.leaving) for remedy in decision.remedies]
    # It was tried on the fleet itself, of which nothing is to be seen.
    assert fleet.moment is moment
    assert decision == place(fleet.copy(), request, POLICY, now=NOW)
    return found


def test_where_no_less_will_do_the_vm_that_would_have_to_be_gone_is_named() -> None:
    full = crowded(small=Request(1, 1024), large=Request(2, 3072, priority=1), tiny=Request(1, 0))
    # Of no memory at all nobody has anything; the least important that is enough goes.
    assert leaving(full, Request(1, 1000)) == [("without VM small", ("small",))]
    assert leaving(full, Request(1, 2048)) == [("without VM large", ("large",))]
    assert leaving(full, Request(2, 4096)) == [("without VMs large, small", ("large", "small"))]
    assert leaving(full, Request(1, 4097)) == []
    # Less is the smaller change.
    assert leaving(crowded(vm=Request(1, 3072)), Request(1, 2048)) == [("1 GiB less memory", ())]


def test_only_vms_of_ones_own_project_are_ones_own_to_give_up() -> None:
    full = crowded(theirs=Request(1, 4096, project="red"))
    assert leaving(full, Request(1, 4096)) == []
    assert leaving(full, Request(1, 4096, project="red")) == [("without VM theirs", ("theirs",))]
    held = Fleet([SMALL])
    held.add("vm@small", "small", Request(1, 4096, vm="vm"))
    # Nor is a share of a host that is no VM of its own.
    assert leaving(held, Request(1, 4096)) == []


def test_a_vm_that_is_off_is_off_still_after_it_was_thought_away() -> None:
    full = crowded(vm=Request(1, 4096))
    full.not_running.add("vm")
    assert leaving(full, Request(1, 4096)) == [("without VM vm", ("vm",))]
    assert full.not_running == {"vm"}


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(vms_on_hosts, st.integers(0, 3)), max_size=10), vms_on_hosts)
def test_whoever_is_said_to_have_to_be_gone_would_do_it(placed: list[tuple[Request, int]], request: Request) -> None:
    fleet = Fleet(replace(SMALL, id=f"node{number}", cpu=2 + number) for number in range(4))
    for number, (vm, host) in enumerate(placed):
        fleet.add(f"vm{number}", f"node{host}", replace(vm, vm=f"vm{number}"))
    for remedy in place(fleet, request, POLICY, now=NOW).remedies:
        without = fleet.copy()
        for vm in remedy.leaving:
            without.remove(vm)
        assert place(without, remedy.request, POLICY, now=NOW).host == remedy.host
        for vm in remedy.leaving:
            # Nobody is named who need not go.
            with_one = fleet.copy()
            for other in set(remedy.leaving) - {vm}:
                with_one.remove(other)
            assert place(with_one, remedy.request, POLICY, now=NOW).host is None


def test_a_refusal_carries_them_in_hint_and_details() -> None:
    error = decide(Request(2, 10240), SMALL, LARGE).no_capacity()
    assert error.hint == "it would fit: 2 GiB less memory (on large)"
    assert error.details["remedies"] == [{"rules": ["memory"], "text": "2 GiB less memory", "host": "large"}]


@given(fleets, requests, policies)
def test_every_change_that_is_offered_is_true(fleet: list[HostView], request: Request, policy: Policy) -> None:
    decision = place(Fleet(fleet), request, policy, now=NOW)
    for remedy in decision.remedies:
        changed = [replace(host, state="ready", cordoned=False) if host.id == remedy.opened else host for host in fleet]
        assert place(Fleet(changed), remedy.request, policy, now=NOW).host == remedy.host
        assert remedy.request != request or remedy.opened is not None


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(cases())
def test_every_change_that_is_offered_is_true_whatever_is_asked_of_a_host(case: tuple[Scene, Request, Policy]) -> None:
    scene, request, policy = case
    for remedy in place(scene.fleet(), request, policy, now=NOW).remedies:
        assert not remedy.leaving
        opened = [
            replace(host, state="ready", cordoned=False) if host.id == remedy.opened else host for host in scene.hosts
        ]
        assert place(replace(scene, hosts=opened).fleet(), remedy.request, policy, now=NOW).host == remedy.host


MORE: dict[str, Callable[[Request], Request]] = {
    "cpu": lambda request: replace(request, cpu=request.cpu + 1),
    "memory": lambda request: replace(request, ram_mib=request.ram_mib + 1),
    "disk": lambda request: replace(request, disk_bytes=request.disk_bytes + 1),
}


@given(fleets, requests, policies)
def test_less_of_one_thing_is_never_less_than_needed(fleet: list[HostView], request: Request, policy: Policy) -> None:
    for remedy in place(Fleet(fleet), request, policy, now=NOW).remedies:
        if len(remedy.rules) == 1 and remedy.rules[0] in MORE:
            more = MORE[remedy.rules[0]](remedy.request)
            assert place(Fleet(fleet), more, policy, now=NOW).host is None
