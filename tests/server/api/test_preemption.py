"""Priorities and preemption over HTTP, and in a real service whose runner carries out what is queued."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from minicloud.client import Client
from minicloud.controllers.service import Controllers
from minicloud.services.context import Context
from minicloud.services.opening import open_context
from minicloud.services.policy import FixedPolicy
from minicloud.settings import Settings
from minicloud.simulation.live_fleet import live_fleet
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import PACK
from minicloud_core.scheduler.priority import Precedence

from tests.idle.cloud import idle_cloud

from .conftest import Cloud, fields, refused

POLICY = replace(
    PACK,
    name="strict",
    limits=Limits(cpu_overcommit=1.0),
    preemption=Precedence(from_priority=100, victims_below=50),
    priority_classes={"critical": 500, "batch": -100},
)


@pytest.fixture
def context(context: Context) -> Context:
    """A context under a policy that lets VMs of priority 100 take the place of those below 50."""
    return replace(context, policy=FixedPolicy(POLICY))


@pytest.fixture
def full(cloud: Cloud) -> Cloud:
    """A cloud whose hosts each have one VM, and no virtual CPU free."""
    for number, host in enumerate(cloud.get("/v1/hosts")["items"]):
        cloud.running(f"low{number}", cpu=host["cpu"], scheduling={"priority": "batch"})
    return cloud


def test_a_create_in_the_place_of_others_waits_for_them(full: Cloud) -> None:
    spec: dict[str, Any] = {"name": "urgent", "cpu": 1, "scheduling": {"priority": "critical"}}
    planned = full.call("POST", "/v1/placements?dry_run=true", spec).json()
    made = full.create(**spec)
    assert made["placement"]["preempts"] == planned["decision"]["preempts"]
    (victim,) = made["placement"]["preempts"]
    assert victim["priority"] == -100
    assert (made["host"], made["status"], made["scheduling"]) == (planned["host"], "provisioning", {"priority": 500})
    create = full.get(f"/v1/operations/{made['operation']}")
    assert create["state"] == "waiting"
    (stop,) = create["after"]
    assert (full.get(f"/v1/operations/{stop}")["kind"], full.get(f"/v1/operations/{stop}")["vm"]) == (
        "vm.stop", victim["vm"],
    )  # fmt: skip
    low = full.get(f"/v1/vms/{victim['vm']}")
    assert (low["status"], low["status_reason"]) == ("stopping", f"makes room for {made['id']} of priority 500")
    assert low["preempted"] is None
    refused(full.call("POST", f"/v1/vms/{victim['vm']}/start"), 409, "minicloud.vm.busy")
    refused(full.call("POST", f"/v1/operations/{stop}/cancel"), 409, "minicloud.resource.conflict")


def test_who_had_to_leave_takes_disk_alone_in_an_export(full: Cloud) -> None:
    world = full.world
    full.call("DELETE", "/v1/vms/low1")
    world.carry_out("absent")
    world.running("low1", cpu=4, disks=["10G"])
    made = full.create("urgent", cpu=4, scheduling={"priority": 100}, host="node2")
    assert [one["vm"] for one in made["placement"]["preempts"]] == [full.get("/v1/vms/low1")["id"]]
    world.carry_out("stopped")
    Controllers(world.ctx, Settings()).reconcile()
    preempted = full.get("/v1/vms/low1")["preempted"]
    assert {key: preempted[key] for key in ("by", "priority", "operation")} == {
        "by": made["id"], "priority": 100, "operation": made["operation"],
    }  # fmt: skip
    hosts, vms = full.get("/v1/hosts")["items"], full.get("/v1/vms")["items"]
    document = live_fleet(hosts, vms)
    assert [vm["name"] for vm in document["vms"]] == ["low0", "urgent"]
    fleet = read_fleet(document["hosts"], document["vms"], at=0.0, ids=True)
    for host in hosts:
        view = fleet.host(host["name"])
        assert view is not None
        assert view.allocated_cpu == host["allocated"]["cpu"]
        free = host["disk_bytes"] - host["allocated"]["disk_bytes"]
        assert view.disk_bytes - view.allocated_disk_bytes == free


def test_a_project_has_a_highest_priority(full: Cloud) -> None:
    quota = {"priority_max": 100}
    assert full.call("PUT", "/v1/projects/default/quota", quota).json()["quota"]["priority_max"] == 100
    for path in ("/v1/vms", "/v1/vms?dry_run=true", "/v1/placements"):
        answer = full.call("POST", path, {"name": "web", "scheduling": {"priority": "critical"}})
        problem = refused(answer, 422, "minicloud.input.invalid")
        assert fields(problem) == {"scheduling.priority"}
        assert problem["errors"][0]["allowed"] == "100 or less, such as batch"
    assert full.get("/v1/projects/default")["quota"]["priority_max"] == 100
    refused(full.call("PUT", "/v1/projects/default/quota", {"priority_max": 1001}), 422, "minicloud.input.invalid")


def test_a_class_that_no_policy_names_is_refused_with_those_that_it_does(full: Cloud) -> None:
    answer = full.call("POST", "/v1/vms", {"name": "web", "scheduling": {"priority": "gold"}})
    (problem,) = refused(answer, 422, "minicloud.input.invalid")["errors"]
    assert problem == {
        "field": "scheduling.priority",
        "message": "the policy has no priority class gold",
        "allowed": "one of critical, batch, or a whole number from -1000 to 1000",
    }


STRICT = """\
name: strict
extends: pack
limits: {cpu_overcommit: 1}
preemption: {from: 100, victims_below: 50}
priority_classes: {critical: 500, batch: -100}
"""


def test_real_hands_make_room_and_give_it_back(tmp_path: Path) -> None:
    policy = tmp_path / "strict.yml"
    policy.write_text(STRICT)
    with (
        idle_cloud(tmp_path / "state", hosts=1, policy=str(policy)) as service,
        Client(service.url, service.token) as client,
    ):
        # The service's controllers are idle: here are some, in another process, on the same database.
        settings = Settings(state_dir=service.state)
        context = replace(open_context(settings), policy=FixedPolicy(POLICY))
        controllers = Controllers(context, settings)
        low = [_running(client, f"low{number}", "batch") for number in range(2)]
        made = client.vms.create({"name": "urgent", "cpu": 512, "scheduling": {"priority": "critical"}})
        (victim,) = made["placement"]["preempts"]
        for stop in client.operations.get(str(made["operation"]))["after"]:
            assert client.operations.wait(stop, timeout=60)["state"] == "succeeded"
        controllers.reconcile()
        assert client.operations.wait(str(made["operation"]), timeout=60)["state"] == "succeeded"
        assert client.vms.get("urgent")["status"] == "running"
        gone = client.vms.get(str(victim["vm"]))
        assert gone["id"] in [vm["id"] for vm in low]
        assert (gone["status"], gone["desired"]) == ("stopped", "running")
        assert gone["preempted"] is not None
        assert (gone["preempted"]["by"], gone["preempted"]["priority"]) == (made["id"], 500)
        deleted = client.vms.delete("urgent")
        assert client.operations.wait(str(deleted["operation"]), timeout=60)["state"] == "succeeded"
        controllers.reconcile()
        back = client.vms.get(str(victim["vm"]))
        assert back["preempted"] is None
        assert client.operations.wait(str(back["operation"]), timeout=60)["state"] == "succeeded"
        assert client.vms.get(str(victim["vm"]))["status"] == "running"
        context.store.close()


def _running(client: Client, name: str, priority: str) -> Any:
    made = client.vms.create({"name": name, "cpu": 512, "scheduling": {"priority": priority}})
    assert client.operations.wait(str(made["operation"]), timeout=60)["state"] == "succeeded"
    return made
