"""From a service that runs to a plan for it, and back: what ``minicloud fleet export`` writes is planned on, and the
service takes the plan's moves as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from jsonschema import Draft202012Validator
from minicloud.main import app
from minicloud.simulation.fleet_file import load_fleet
from minicloud_core.model.reason import Reason
from minicloud_core.scheduler.planner.plan import Move, Plan, Stay
from minicloud_core.scheduler.policy import policy_named
from typer.testing import CliRunner, Result

from tests.unit.scheduler.planner.referee import play

from .conftest import Cloud

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"
APART = {"scheduling": {"group": "db", "anti_affinity": ["group:db"]}}


def valid(name: str, document: Any) -> bool:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(schema).is_valid(document)


def run(*words: str) -> Result:
    result = CliRunner().invoke(app, words)
    assert result.stderr == ""
    return result


def placed_on(cloud: Cloud, host: str, name: str, **asked: Any) -> None:
    """A VM that runs on a host without having asked for it: there was no other."""
    others = [other["name"] for other in cloud.get("/v1/hosts")["items"] if other["name"] != host]
    for other in others:
        cloud.call("POST", f"/v1/hosts/{other}/cordon", {})
    assert cloud.running(name, **asked)["host"] == host
    for other in others:
        cloud.call("POST", f"/v1/hosts/{other}/uncordon", {})


@pytest.fixture
def exported(cloud: Cloud, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three hosts. On node1 one of two VMs that keep apart, one free, one that asked for node1, one that is off."""
    cloud.world.fleet("node3")
    placed_on(cloud, "node1", "db1", **APART)
    placed_on(cloud, "node2", "db2", **APART)
    placed_on(cloud, "node1", "web", cpu=2, ram="2G")
    placed_on(cloud, "node1", "off")
    cloud.running("license", host="node1")
    cloud.call("POST", "/v1/vms/off/stop")
    cloud.world.carry_out("stopped")
    monkeypatch.setenv("MINICLOUD_URL", url)
    monkeypatch.setenv("MINICLOUD_TOKEN", cloud.tokens["admin"])
    monkeypatch.delenv("MINICLOUD_OUTPUT", raising=False)
    return export(tmp_path)


def export(folder: Path) -> Path:
    path = folder / "fleet.json"
    assert run("fleet", "export", "--out", str(path)).exit_code == 0
    assert valid("fleet", json.loads(path.read_text(encoding="utf-8")))
    return path


def planned(path: Path, *words: str, code: int = 0) -> Plan:
    """What a command plans for an exported fleet, by its policy."""
    out = path.with_name("plan.json")
    assert run(*words, "--fleet", str(path), "--out", str(out)).exit_code == code
    plan = json.loads(out.read_text(encoding="utf-8"))
    assert valid("plan", plan)
    moves = tuple(Move(move["vm"], move["from"], move["to"]) for move in plan["moves"])
    stays = tuple(Stay(one["vm"], one["host"], reason_of(one)) for one in plan["stay"])
    return Plan(moves, stays, plan["before"], plan["after"])


def reason_of(stay: dict[str, Any]) -> Reason:
    (entry,) = stay["reasons"]
    (reason,) = entry["reasons"]
    return Reason(reason["rule"], reason["message"])


def names(cloud: Cloud) -> dict[str, str]:
    """What VMs are called, by id."""
    return {vm["id"]: vm["name"] for vm in cloud.get("/v1/vms")["items"]}


def test_a_drain_of_the_live_fleet_is_legal_and_the_service_takes_its_moves(cloud: Cloud, exported: Path) -> None:
    called, policy = names(cloud), policy_named("balanced")
    plan = planned(exported, "drain", "--host", "node1", code=6)
    play(load_fleet(exported, policy), plan, policy, closed=["node1"])
    assert {called[move.vm]: move.target for move in plan.moves} == {"db1": "node3", "web": ANY, "off": ANY}
    assert [(called[stay.vm], stay.reason) for stay in plan.stays] == [
        ("license", Reason("requested", "node1 was asked for"))
    ]
    cloud.call("POST", "/v1/hosts/node1/cordon", {})
    for move in plan.moves:
        if called[move.vm] != "off":
            assert cloud.call("POST", f"/v1/vms/{move.vm}/migrate", {"host": move.target}).status_code == 202
            cloud.world.carry_out("running")
            assert cloud.get(f"/v1/vms/{move.vm}")["host"] == move.target
    again = planned(export(exported.parent), "drain", "--host", "node1", code=6)
    assert [called[move.vm] for move in again.moves] == ["off"]


def test_planners_leave_what_asked_for_its_host_and_what_is_off(cloud: Cloud, exported: Path) -> None:
    called = names(cloud)
    for words, policy in (
        (("rebalance", "--min-gain", "0", "--move-cost", "0"), "balanced"),
        (("consolidate",), "energy"),
    ):
        plan = planned(exported, *words)
        fleet = load_fleet(exported, policy_named(policy))
        play(fleet, plan, policy_named(policy), closed=plan.before.get("asleep", ()))
        assert {called[move.vm] for move in plan.moves}.isdisjoint({"license", "off"})
        assert {called[vm] for vm in fleet.not_running} == {"off"}


def test_an_evacuation_names_what_is_lost_with_its_host(cloud: Cloud, exported: Path) -> None:
    called, policy = names(cloud), policy_named("balanced")
    plan = planned(exported, "evacuate", "--host", "node1", code=6)
    play(load_fleet(exported, policy), plan, policy, dead="node1")
    assert {called[move.vm] for move in plan.moves} == {"db1", "web", "off"}
    assert [(called[stay.vm], stay.reason) for stay in plan.stays] == [
        ("license", Reason("requested", "lost with node1: no other host will do"))
    ]


def test_a_vm_that_was_moved_off_the_host_that_it_asked_for_may_go_back_there_alone(
    cloud: Cloud, exported: Path
) -> None:
    assert cloud.call("POST", "/v1/vms/license/migrate", {"host": "node2"}).status_code == 202
    cloud.world.carry_out("running")
    (told,) = [vm for vm in json.loads(export(exported.parent).read_text())["vms"] if vm["name"] == "license"]
    assert (told["host"], told["host_pin"]) == ("node2", "node1")
    plan = planned(exported, "evacuate", "--host", "node2")
    assert {names(cloud)[move.vm]: move.target for move in plan.moves}["license"] == "node1"
