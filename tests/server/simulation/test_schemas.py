"""The published schemas say what the readers do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from minicloud.simulation.replay import replay
from minicloud.simulation.trace import read_trace
from minicloud.simulation.verdict import Verdict
from minicloud_core.model.errors import InputError
from minicloud_core.model.host import HOST_TRANSITIONS
from minicloud_core.model.vm import VM_TRANSITIONS
from minicloud_core.scheduler.document import read_fleet
from minicloud_core.scheduler.policy import policy_named

from tests.server.simulation import documents

FOLDER = Path(__file__).parents[3] / "docs" / "schemas"


def schema(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))
    return document


def valid(name: str, document: Any) -> bool:
    return Draft202012Validator(schema(name)).is_valid(document)


def readable(fleet: dict[str, Any]) -> bool:
    try:
        read_fleet(fleet["hosts"], fleet["vms"], at=0, ids=True)
    except InputError:
        return False
    return True


def fleet_of(host: dict[str, Any], vm: dict[str, Any] | None = None) -> dict[str, Any]:
    vms = [] if vm is None else [{**documents.VM, **vm}]
    return {"hosts": [{**documents.HOST, **host}], "vms": vms}


def line_of(vm: dict[str, Any]) -> dict[str, Any]:
    return {"at": 0, "op": "create", "vm": {"id": "v", "cpu": 1, "ram": 512, **vm}}


@pytest.mark.parametrize("name", ["fleet", "request", "decision"])
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


def test_a_vm_is_the_same_in_a_fleet_and_in_a_request() -> None:
    fleet, request = schema("fleet")["$defs"], schema("request")["$defs"]
    common = fleet.keys() & request.keys()
    assert "vm" in common
    assert {name: fleet[name] for name in common} == {name: request[name] for name in common}


def test_the_schemas_know_every_state() -> None:
    definitions = schema("fleet")["$defs"]
    assert set(definitions["host"]["properties"]["state"]["enum"]) == {None, *HOST_TRANSITIONS.states}
    assert set(definitions["vm"]["properties"]["state"]["enum"]) == {None, *VM_TRANSITIONS.states} - {"deleted"}


@pytest.mark.parametrize("host", documents.GOOD_HOSTS)
def test_a_host_that_is_read_is_valid(host: dict[str, Any]) -> None:
    fleet = fleet_of(host)
    assert (readable(fleet), valid("fleet", fleet)) == (True, True)


@pytest.mark.parametrize(("host", "_field"), documents.BAD_HOSTS)
def test_a_host_that_is_refused_is_not_valid(host: dict[str, Any], _field: str) -> None:
    fleet = fleet_of(host)
    assert (readable(fleet), valid("fleet", fleet)) == (False, False)


@pytest.mark.parametrize("vm", documents.GOOD_VMS)
def test_a_vm_that_is_read_is_valid(vm: dict[str, Any]) -> None:
    fleet = fleet_of({}, vm)
    assert (readable(fleet), valid("fleet", fleet), valid("request", line_of(vm))) == (True, True, True)


@pytest.mark.parametrize(("vm", "_field"), documents.BAD_VMS)
def test_a_vm_that_is_refused_is_not_valid(vm: dict[str, Any], _field: str) -> None:
    fleet = fleet_of({}, vm)
    assert (readable(fleet), valid("fleet", fleet), valid("request", line_of(vm))) == (False, False, False)


@pytest.mark.parametrize(("vm", "_field"), documents.BEYOND_SCHEMAS)
def test_what_only_the_reader_refuses_is_as_few_as_it_says(vm: dict[str, Any], _field: str) -> None:
    fleet = fleet_of({}, vm)
    assert (readable(fleet), valid("fleet", fleet)) == (False, True)


@pytest.mark.parametrize("line", documents.GOOD_REQUESTS)
def test_a_line_that_is_read_is_valid(tmp_path: Path, line: dict[str, Any]) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text(json.dumps(line), encoding="utf-8")
    assert len(list(read_trace(path))) == 1
    assert valid("request", line)


@pytest.mark.parametrize(("line", "_field"), documents.BAD_REQUESTS)
def test_a_line_that_is_refused_is_not_valid(tmp_path: Path, line: Any, _field: str) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text(json.dumps(line), encoding="utf-8")
    with pytest.raises(InputError):
        list(read_trace(path))
    assert not valid("request", line)


@pytest.mark.parametrize("hosts", [[], [documents.HOST], [documents.HOST, {**documents.HOST, "id": "b", "cpu": 0}]])
def test_decision_lines_are_valid(tmp_path: Path, hosts: list[dict[str, Any]]) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text("\n".join(json.dumps(line_of({"id": f"v{n}", "ram": "6G"})) for n in range(4)), encoding="utf-8")
    verdicts: list[Verdict] = []
    replay(read_fleet(hosts, at=0), read_trace(path), policy_named("pack"), verdicts.append)
    lines = [json.loads(json.dumps(verdict.to_mapping())) for verdict in verdicts]
    assert [line["host"] for line in lines] == (["a", "a", None, None] if hosts else [None] * 4)
    assert all(valid("decision", line) for line in lines)


def test_a_line_that_is_no_decision_is_not_valid() -> None:
    assert not valid("decision", {"at": 0, "id": "v", "host": "a"})
    assert not valid("decision", {"at": 0, "id": "v", "host": "a", "score": 0.5, "reasons": []})
    assert not valid("decision", {"at": 0, "id": "v", "host": None, "reasons": [{"rule": "cpu"}]})
