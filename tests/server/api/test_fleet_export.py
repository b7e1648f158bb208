"""What the API shows of the fleet, as a fleet file that the library reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from minicloud.services import observation
from minicloud.services.snapshot import host_view
from minicloud.services.view.observation import Measurements, NumaObservation
from minicloud.simulation.live_fleet import live_fleet
from minicloud.store import host as hosts
from minicloud_core.model.units import GIB
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import Pool

from .conftest import Cloud

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/fleet.schema.json").read_text(encoding="utf-8"))


def exported(cloud: Cloud) -> dict[str, Any]:
    vms, hosts = cloud.get("/v1/vms?limit=500")["items"], cloud.get("/v1/hosts?limit=500")["items"]
    document = live_fleet(hosts, vms, cloud.get("/v1/reservations?state=held&limit=500")["items"])
    assert not list(Draft202012Validator(SCHEMA).iter_errors(document))
    return json.loads(json.dumps(document))  # type: ignore[no-any-return]


def read(document: dict[str, Any]) -> Fleet:
    return read_fleet(document["hosts"], document["vms"], at=0.0, ids=True)


def test_what_is_promised_on_each_host_is_what_the_service_says(cloud: Cloud) -> None:
    for number in range(5):
        cloud.create(f"vm{number}", cpu=1, ram="300M", disks=["1G", "7M"])
    fleet = read(exported(cloud))
    for host in cloud.get("/v1/hosts")["items"]:
        view = fleet.host(host["name"])
        assert view is not None
        assert (view.cpu, view.ram_mib, view.disk_bytes) == (host["cpu"], host["ram_mib"], host["disk_bytes"])
        promised = (view.allocated_cpu, view.allocated_ram_mib, view.allocated_disk_bytes)
        assert promised == tuple(host["allocated"][key] for key in ("cpu", "ram_mib", "disk_bytes"))


def test_what_hosts_are_and_measured_is_told(cloud: Cloud) -> None:
    cloud.world.observe("node1", load=0.25)
    cloud.call("POST", "/v1/hosts/node2/cordon", {})
    (first, second, *_others) = exported(cloud)["hosts"]
    assert first["load"] == {"cpu": 0.25, "at": cloud.world.clock.at.timestamp()}
    assert (first["id"], second["id"]) == ("node1", "node2")
    assert second["cordoned"] is True
    assert "cordoned" not in first
    assert "load" not in second


def test_what_administrators_say_of_a_host_is_told(cloud: Cloud) -> None:
    told = {"dedicated": ["blue"], "power": {"idle_w": 90, "max_w": 300}, "bandwidth_mbps": 1000}
    cloud.call("POST", "/v1/hosts", {"name": "node1", "address": "10.77.0.11", **told})
    document = exported(cloud)
    assert {key: document["hosts"][0][key] for key in told} == told
    view = read(document).hosts[0]
    assert (view.dedicated, view.bandwidth_mbps) == (frozenset({"blue"}), 1000)
    assert view.power is not None
    assert (view.power.idle_w, view.power.max_w) == (90, 300)


def test_what_was_seen_of_a_host_is_told(cloud: Cloud) -> None:
    cloud.world.observe("node1", cpu_features=("aes", "avx2"), networks=())
    cloud.world.observe("node2", networks=("back", "default"))
    observation.record_silence(cloud.world.ctx, "node2", "no route")
    first, second = exported(cloud)["hosts"]
    assert (second["state"], second["failures"]) == ("suspect", [cloud.world.clock.at.timestamp()])
    assert (first["cpu_features"], first["networks"]) == (["aes", "avx2"], [])
    assert second["networks"] == ["back", "default"]
    assert "cpu_features" not in second


def test_what_a_host_reports_is_told(cloud: Cloud) -> None:
    cloud.call("POST", "/v1/hosts", {"name": "node1", "address": "10.77.0.11", "bandwidth_mbps": 1000})
    cloud.world.observe(
        "node1",
        pools={"default": 100 * GIB, "fast": 10 * GIB},
        numa=(NumaObservation(0, 2, 4096, 1024), NumaObservation(1, 2, 4000)),
        machines=("pc", "q35"),
        images=("tiny",),
        load=0.25,
        measured=Measurements(memory=0.5, network_mbps=100.0, io_latency_ms=2.0),
    )
    cloud.create("db1", disks=["1G", {"size": "3G", "pool": "fast"}], host="node1")
    document = exported(cloud)
    (told, *_others), (vm,) = document["hosts"], document["vms"]
    assert (told["pools"], told["machines"], told["images"]) == ({"fast": 10240}, ["pc", "q35"], ["tiny"])
    assert told["numa"] == [{"cpu": 2, "ram": 4096, "huge_pages": 1024}, {"cpu": 2, "ram": 4000}]
    at = cloud.world.clock.at.timestamp()
    assert told["load"] == {"cpu": 0.25, "memory": 0.5, "network": 0.1, "io_latency_ms": 2.0, "at": at}
    assert (vm["disk"], vm["pools"], vm["image"]) == (1024, {"fast": 3072}, "tiny")
    # What the library reads is what the service itself places by.
    with cloud.world.ctx.read() as session:
        row = hosts.find(session, "node1")
        assert row is not None
        view = host_view(row)
    fleet = read(document)
    assert replace(fleet.hosts[0], generation=view.generation) == view
    assert fleet.pools.on(0) == {"fast": Pool(10 * GIB, 3 * GIB)}


def test_what_vms_are_to_have_of_their_host_is_told(cloud: Cloud) -> None:
    nodes = (NumaObservation(0, 2, 4096, 1024), NumaObservation(1, 2, 4000))
    cloud.world.observe("node1", numa=nodes, machines=("pc", "q35"))
    asked = {"machine": "q35", "numa": 1, "huge_pages": True, "pinned": True}
    made = cloud.create("fast", cpu=2, scheduling=asked)
    document = exported(cloud)
    (vm,) = document["vms"]
    assert {name: vm[name] for name in asked} == asked
    fleet = read(document)
    request = fleet.request_of(made["id"])
    assert (request.machine, request.numa, request.huge_pages, request.pinned) == ("q35", 1, True, True)
    assert (vm["nodes"], fleet.nodes_of(made["id"])) == ([0], (0,))


def test_which_nodes_vms_lie_on_is_told_whatever_a_file_would_deal_out(cloud: Cloud) -> None:
    nodes = tuple(NumaObservation(number, 4, 4096) for number in (0, 8))
    cloud.world.observe("node1", cpu=8, numa=nodes)
    made = [cloud.running(f"vm{number}", cpu=1, ram="1G", host="node1", scheduling={"numa": 1}) for number in range(3)]
    cloud.call("DELETE", "/v1/vms/vm0")
    cloud.world.carry_out("absent")
    (host, *_others) = cloud.get("/v1/hosts")["items"]
    assert set(host["seats"]) == {vm["id"] for vm in made[1:]}
    document = exported(cloud)
    fleet = read(document)
    for vm in document["vms"]:
        assert [(0, 8)[node] for node in vm["nodes"]] == host["seats"][vm["id"]]
        assert fleet.nodes_of(vm["id"]) == tuple(vm["nodes"])


def test_what_vms_ask_of_each_other_is_told_by_id(cloud: Cloud) -> None:
    cloud.create("cache", labels={"tier": "web"})
    asked = {
        "group": "db",
        "affinity": ["vm:cache"],
        "anti_affinity": ["tier=batch", "group:other"],
        "spread": [{"by": "host", "at_most": 2}],
        "priority": 5,
        "host_labels": {},
    }
    made = cloud.create("db1", scheduling=asked)
    document = exported(cloud)
    (vm,) = [vm for vm in document["vms"] if vm["name"] == "db1"]
    cache = cloud.get("/v1/vms/cache")["id"]
    assert vm["affinity"] == [f"vm:{cache}"]
    assert (vm["anti_affinity"], vm["group"], vm["priority"]) == (["tier=batch", "group:other"], "db", 5)
    request = read(document).request_of(made["id"])
    assert (request.affinity, request.group, request.spread[0].at_most) == ((f"vm:{cache}",), "db", 2)


def test_what_was_said_of_a_vm_that_is_gone_says_nothing(cloud: Cloud) -> None:
    cloud.running("cache")
    cloud.running("db1", scheduling={"anti_affinity": ["vm:cache", "tier=web"]})
    cloud.call("DELETE", "/v1/vms/cache")
    cloud.world.carry_out("absent")
    (vm,) = exported(cloud)["vms"]
    assert vm["anti_affinity"] == ["tier=web"]


def test_room_that_is_held_is_told_as_a_vm_that_stays(cloud: Cloud) -> None:
    cloud.world.observe("node1", pools={"fast": GIB * 100})
    asked = {"cpu": 2, "ram": "1G", "disks": ["2G", {"size": "3G", "pool": "fast"}], "scheduling": {"group": "db"}}
    held = cloud.call("POST", "/v1/reservations", asked).json()
    gone = cloud.call("POST", "/v1/reservations", asked).json()
    cloud.call("DELETE", f"/v1/reservations/{gone['id']}")
    (vm,) = exported(cloud)["vms"]
    assert (vm["id"], vm["host"], vm["host_pin"], vm["state"]) == (
        held["id"],
        held["host"],
        held["host"],
        "provisioning",
    )
    assert (vm["cpu"], vm["ram"], vm["disk"], vm["pools"], vm["group"]) == (2, 1024, 2048, {"fast": 3072}, "db")
    fleet = read(exported(cloud))
    assert held["id"] in fleet.not_running
    with cloud.world.ctx.fleet.lent() as kept, cloud.world.ctx.read() as session:
        ours = kept.scheduler(session, cloud.world.ctx.policy.current(), cloud.world.clock.now()).fleet
        assert fleet.request_of(held["id"]).pools == ours.request_of(held["id"]).pools
        assert fleet.request_of(held["id"]).disk_bytes == ours.request_of(held["id"]).disk_bytes
