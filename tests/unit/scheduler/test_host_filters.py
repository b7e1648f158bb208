"""Each hard rule about what a host is and has, by example: what it lets pass, what it refuses, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from minicloud_core.model.units import GIB
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, Pool
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler.test_filters import HOST, REQUEST, judge, refuses
from tests.unit.scheduler.test_reference import NOW as SCENE_NOW
from tests.unit.scheduler.test_reference import Scene, consistent, requests, scenes
from tests.unit.scheduler.test_reference import hosts as drawn_hosts

NOW = 1000.0
hosts = drawn_hosts.map(consistent)
# What a host is and has, and its own room.
LOCAL = (
    "ready", "cordon", "metrics", "requested", "excluded", "dedicated", "host_labels", "architecture", "machine",
    "cpu_features", "networks", "image", "volumes", "cpu", "memory", "numa", "disk", "pools", "bandwidth",
)  # fmt: skip


def said(name: str, host: dict[str, Any], request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Why a host is refused: the sentence and its numbers."""
    reason = judge(name, replace(HOST, **host), replace(REQUEST, **request))
    assert reason is not None
    assert reason.rule == name
    return reason.message, dict(reason.numbers)


LAN = frozenset({"lan"})
FEATURES = frozenset({"aes", "avx2"})


@pytest.mark.parametrize(
    ("name", "host", "request_", "refused"),
    [
        ("host_labels", {"labels": {"rack": "a", "disk": "ssd"}}, {"host_labels": {"rack": "a"}}, False),
        ("host_labels", {"labels": {"rack": "a"}}, {"host_labels": {"rack": "a", "disk": "ssd"}}, True),
        ("host_labels", {"labels": {"rack": "b"}}, {"host_labels": {"rack": "a"}}, True),
        ("host_labels", {}, {"labels": {"rack": "a"}}, False),  # the VM's own labels ask for nothing
        ("dedicated", {"dedicated": frozenset({"shop"})}, {"project": "shop"}, False),
        ("dedicated", {"dedicated": frozenset({"shop", "bank"})}, {"project": "bank"}, False),
        ("dedicated", {"dedicated": frozenset({"shop"})}, {}, True),
        ("dedicated", {}, {"project": "shop"}, False),  # who has hosts of its own may go elsewhere
        ("architecture", {"architecture": "x86_64"}, {"architecture": "x86_64"}, False),
        ("architecture", {"architecture": "aarch64"}, {"architecture": "x86_64"}, True),
        ("architecture", {"architecture": "aarch64"}, {}, False),
        ("architecture", {}, {"architecture": "x86_64"}, True),
        ("machine", {"machines": frozenset({"q35", "pc"})}, {"machine": "q35"}, False),
        ("machine", {"machines": frozenset({"pc"})}, {"machine": "q35"}, True),
        ("machine", {}, {"machine": "q35"}, True),
        ("cpu_features", {"cpu_features": FEATURES}, {"cpu_features": frozenset({"aes"})}, False),
        ("cpu_features", {"cpu_features": frozenset({"aes"})}, {"cpu_features": FEATURES}, True),
        ("networks", {"networks": LAN}, {"networks": LAN}, False),
        ("networks", {"networks": LAN}, {"networks": LAN | {"dmz"}}, True),
        ("networks", {"networks": frozenset()}, {"networks": LAN}, True),
        ("networks", {"networks": None}, {"networks": LAN}, False),
        ("bandwidth", {"bandwidth_mbps": 1000, "allocated_bandwidth_mbps": 900}, {"bandwidth_mbps": 100}, False),
        ("bandwidth", {"bandwidth_mbps": 1000, "allocated_bandwidth_mbps": 901}, {"bandwidth_mbps": 100}, True),
        ("bandwidth", {"bandwidth_mbps": None}, {"bandwidth_mbps": 1}, True),
        ("bandwidth", {"bandwidth_mbps": None}, {}, False),
        ("pools", {"pools": {"ssd": Pool(10, 4)}}, {"pools": {"ssd": 6}}, False),
        ("pools", {"pools": {"ssd": Pool(10, 4)}}, {"pools": {"ssd": 7}}, True),
        ("pools", {"pools": {"ssd": Pool(10), "hdd": Pool(10)}}, {"pools": {"ssd": 1, "hdd": 11}}, True),
        ("pools", {"pools": {"hdd": Pool(10)}}, {"pools": {"ssd": 0}}, True),
        ("image", {"reachable_images": None}, {"image": "debian"}, False),
        ("image", {"reachable_images": frozenset({"debian"})}, {"image": "debian"}, False),
        ("image", {"reachable_images": frozenset(), "images": frozenset({"debian"})}, {"image": "debian"}, False),
        ("image", {"reachable_images": frozenset()}, {"image": "debian"}, True),
        ("volumes", {"reachable_volumes": None}, {"volumes": frozenset({"v1"})}, False),
        ("volumes", {"reachable_volumes": frozenset({"v1"})}, {"volumes": frozenset({"v1"})}, False),
        ("volumes", {"reachable_volumes": frozenset({"v1"})}, {"volumes": frozenset({"v1", "v2"})}, True),
    ],
)
def test_what_a_request_asks_of_a_host(
    name: str, host: dict[str, Any], request_: dict[str, Any], refused: bool
) -> None:
    assert refuses(name, replace(HOST, **host), replace(REQUEST, **request_)) is refused


def test_refusals_read_well_and_carry_their_numbers() -> None:
    assert said("host_labels", {"labels": {"rack": "b"}}, {"host_labels": {"rack": "a", "disk": "ssd"}}) == (
        "disk=ssd wanted, it has no label disk, rack=a wanted, it has rack=b",
        {"wanted": {"disk": "ssd", "rack": "a"}, "found": {"disk": None, "rack": "b"}},
    )
    assert said("dedicated", {"dedicated": frozenset({"shop", "bank"})}, {"project": "blue"}) == (
        "it is dedicated to bank, shop, and the VM is of blue",
        {"dedicated": ["bank", "shop"], "project": "blue"},
    )
    assert said("architecture", {"architecture": "aarch64"}, {"architecture": "x86_64"}) == (
        "x86_64 wanted, it is aarch64",
        {"wanted": "x86_64", "has": "aarch64"},
    )
    assert said("architecture", {}, {"architecture": "x86_64"})[0] == "x86_64 wanted, it does not tell its own"
    assert said("machine", {"machines": frozenset({"pc", "isapc"})}, {"machine": "q35"}) == (
        "machine type q35 wanted, it offers isapc, pc",
        {"wanted": "q35", "offered": ["isapc", "pc"]},
    )
    assert said("machine", {}, {"machine": "q35"})[0] == "machine type q35 wanted, it tells of none"
    assert said("cpu_features", {"cpu_features": frozenset({"aes"})}, {"cpu_features": FEATURES}) == (
        "its processors lack avx2, 1 of 2 wanted",
        {"wanted": ["aes", "avx2"], "missing": ["avx2"]},
    )
    assert said("networks", {"networks": LAN}, {"networks": LAN | {"dmz"}}) == (
        "dmz does not reach it, 1 of 2 networks wanted",
        {"wanted": ["dmz", "lan"], "missing": ["dmz"]},
    )
    assert said("image", {"reachable_images": frozenset()}, {"image": "debian"}) == (
        "it neither has image debian nor can fetch it",
        {"image": "debian"},
    )
    assert said("volumes", {"reachable_volumes": frozenset()}, {"volumes": frozenset({"v1"})}) == (
        "it cannot attach v1, 1 of 1 volumes",
        {"wanted": ["v1"], "missing": ["v1"]},
    )


def test_refusals_for_room_say_what_is_free() -> None:
    used = {"bandwidth_mbps": 1000, "allocated_bandwidth_mbps": 950}
    assert said("bandwidth", used, {"bandwidth_mbps": 100}) == (
        "100 Mbit/s wanted, 50 free of 1000",
        {"wanted_mbps": 100, "free_mbps": 50, "limit_mbps": 1000},
    )
    assert said("bandwidth", {}, {"bandwidth_mbps": 100}) == (
        "100 Mbit/s wanted, it does not tell what its network carries",
        {"wanted_mbps": 100, "free_mbps": 0, "limit_mbps": None},
    )
    pools = {"pools": {"ssd": Pool(10 * GIB, 8 * GIB), "hdd": Pool(GIB)}}
    assert said("pools", pools, {"pools": {"ssd": 4 * GIB, "hdd": GIB, "tape": 1}}) == (
        "4 GiB of pool ssd wanted, 2 GiB free of 10 GiB; 1 MiB of pool tape wanted, it has no such pool",
        {
            "pools": {
                "ssd": {"wanted_bytes": 4 * GIB, "free_bytes": 2 * GIB, "limit_bytes": 10 * GIB},
                "tape": {"wanted_bytes": 1, "free_bytes": None, "limit_bytes": None},
            }
        },
    )


@pytest.mark.parametrize(
    ("at", "refused"), [(NOW - 60, False), (NOW - 60.001, True), (None, False), (NOW + 5, False), (0.0, True)]
)
def test_a_host_of_which_measurements_have_stopped(at: float | None, refused: bool) -> None:
    policy = Policy("watchful", filters=("metrics",), limits=Limits(metrics_fresh_seconds=60.0))
    host = replace(HOST, load=None if at is None else 0.5, load_at=at)
    decision = place(Fleet([host]), REQUEST, policy, now=NOW)
    assert (decision.host is None) is refused
    # No shipped figure refuses anybody for it.
    assert place(Fleet([host]), REQUEST, Policy("plain", filters=("metrics",)), now=NOW).host == "node1"


def test_measurements_that_have_stopped_are_told_with_their_age() -> None:
    policy = Policy("watchful", filters=("metrics",), limits=Limits(metrics_fresh_seconds=60.0))
    decision = place(Fleet([replace(HOST, load=0.5, load_at=NOW - 90.5)]), REQUEST, policy, now=NOW)
    reason = decision.refused[0].reasons[0]
    assert reason.message == "last measured 90 s ago, 60 s at most"
    assert reason.numbers == {"age_seconds": 90.5, "limit_seconds": 60.0}


def test_a_kept_scheduler_sees_measurements_grow_old() -> None:
    policy = Policy("watchful", limits=Limits(metrics_fresh_seconds=60.0))
    scheduler = Scheduler(Fleet([replace(HOST, load=0.5, load_at=NOW)]), policy)
    assert scheduler.choose(REQUEST, now=NOW + 60) == "node1"
    assert scheduler.choose(REQUEST, now=NOW + 60.001) is None
    assert scheduler.choose(REQUEST, now=NOW) == "node1"


@settings(deadline=None, max_examples=60)
@given(scenes(), hosts, requests)
def test_another_host_never_takes_a_place_away(scene: Scene, another: HostView, request: Request) -> None:
    policy = Policy("local", filters=LOCAL, weights={"stability": 1.0, "energy": 1.0, "staleness": 1.0})
    before = place(scene.fleet(), request, policy, now=SCENE_NOW)
    larger = replace(scene, hosts=[*scene.hosts, replace(another, id="node9")])
    after = place(larger.fleet(), request, policy, now=SCENE_NOW)
    assert [one for one in after.accepted if one.host != "node9"] == list(before.accepted)
    assert [one for one in after.refused if one.host != "node9"] == list(before.refused)


def test_bandwidth_and_pools_are_counted_as_vms_come_and_go() -> None:
    host = HostView("a", 8, 8192, bandwidth_mbps=100, pools={"ssd": Pool(100, 10)})
    scheduler = Scheduler(Fleet([host]), Policy("plain"))
    request = Request(1, 64, bandwidth_mbps=60, pools={"ssd": 40, "nowhere": 5})
    scheduler.take("vm-1", "a", request)
    now = scheduler.fleet.host("a")
    assert now is not None
    assert (now.allocated_bandwidth_mbps, now.pools) == (60, {"ssd": Pool(100, 50)})
    assert scheduler.choose(Request(1, 64, bandwidth_mbps=40, pools={"ssd": 50}), now=NOW) == "a"
    assert scheduler.choose(Request(1, 64, bandwidth_mbps=41), now=NOW) is None
    assert scheduler.choose(Request(1, 64, pools={"ssd": 51}), now=NOW) is None
    scheduler.fleet.remove("vm-1")
    assert scheduler.fleet.host("a") == host
    assert scheduler.choose(Request(1, 64, bandwidth_mbps=41), now=NOW) == "a"


def test_hosts_with_a_pool_of_one_name_are_told_apart_from_those_without() -> None:
    pools = [{"ssd": Pool(50)}, {}, {"hdd": Pool(100), "ssd": Pool(100)}, {"hdd": Pool(70)}]
    hosts = [HostView(f"node{number}", 8, 8192, pools=has) for number, has in enumerate(pools)]
    decision = place(Fleet(hosts), Request(1, 64, pools={"ssd": 60, "hdd": 60}), now=NOW)
    assert [candidate.host for candidate in decision.accepted] == ["node2"]
    assert [refusal.host for refusal in decision.refused] == ["node0", "node1", "node3"]
