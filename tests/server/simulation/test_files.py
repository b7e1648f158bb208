"""Fleets and traces in files: what is wrong is named with its file, its line and its field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from minicloud.simulation.fleet_file import load_fleet
from minicloud.simulation.trace import Step, read_trace
from minicloud_core.model.errors import InputError
from minicloud_core.scheduler.policy import BALANCED

from tests.server.simulation.documents import BAD_REQUESTS, BAD_VMS, HOST, VM

CREATE = '{"at":1,"op":"create","vm":{"id":"v","cpu":0.5,"ram":"1G"}}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fleet_problems(content: str | bytes) -> list[str]:
    path = Path("fleet.json")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        load_fleet(path, BALANCED)
    return [problem.field for problem in caught.value.problems]


def trace(*lines: str) -> list[Step]:
    path = Path("requests.jsonl")
    path.write_text("\n".join(lines), encoding="utf-8")
    return list(read_trace(path))


def trace_problems(*lines: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        trace(*lines)
    return [problem.field for problem in caught.value.problems]


def test_a_fleet_is_read(folder: Path) -> None:
    path = folder / "fleet.json"
    path.write_text(json.dumps({"hosts": [{**HOST, "load": 0.5}], "vms": [VM]}), encoding="utf-8")
    fleet = load_fleet(path, BALANCED)
    assert fleet.where("v") == "a"
    assert fleet.ram_used.tolist() == [512]


@pytest.mark.parametrize(
    ("content", "places"),
    [
        ("", ["fleet.json, column 1"]),
        ('{"hosts":\n [}', ["fleet.json:2:3"]),
        ('{"hosts": [], "hosts": []}', ["fleet.json"]),
        (
            '{"hosts": [{"id": "a", "cpu": NaN, "ram": Infinity}]}',
            ["fleet.json: hosts.0.cpu", "fleet.json: hosts.0.ram"],
        ),
        ("[" * 100_000, ["fleet.json"]),
        (b'{"hosts": "\xff"}', ["fleet.json"]),
        ("[]", ["fleet.json"]),
        ("{}", ["fleet.json: hosts"]),
        ('{"hosts": null}', ["fleet.json: hosts"]),
        ('{"hosts": [], "racks": []}', ["fleet.json: racks"]),
        ('{"hosts": {}, "vms": 1}', ["fleet.json: hosts", "fleet.json: vms"]),
        (
            '{"hosts": [{"id": "a", "cpu": 1, "ram": "x"}], "vms": [7]}',
            ["fleet.json: hosts.0.ram", "fleet.json: vms.0"],
        ),
        (
            '{"hosts": [{"id": "a", "cpu": 1, "ram": 512}], "vms": [{"host": "a", "cpu": 1, "ram": 1}]}',
            ["fleet.json: vms.0.id"],
        ),
    ],
)
def test_what_is_wrong_in_a_fleet_is_named_with_its_file(folder: Path, content: str | bytes, places: list[str]) -> None:
    assert fleet_problems(content) == places


def test_a_trace_is_read_line_by_line(folder: Path) -> None:
    first, second = trace(CREATE, "", '{"at": 2, "op": "delete", "id": "v"}', "  ")
    assert first.request is not None
    assert (first.place, first.at, first.vm, first.request.cpu, first.request.ram_mib) == (
        "requests.jsonl:1", 1, "v", 0.5, 1024,
    )  # fmt: skip
    assert second == Step("requests.jsonl:3", 2, "v", None)


def test_a_line_is_given_out_before_the_next_is_read(folder: Path) -> None:
    path = folder / "requests.jsonl"
    path.write_text(f"{CREATE}\nnot JSON\n", encoding="utf-8")
    steps = read_trace(path)
    assert next(steps).vm == "v"
    with pytest.raises(InputError):
        next(steps)


@pytest.mark.parametrize(("line", "field"), BAD_REQUESTS)
def test_what_is_wrong_in_a_line_is_named_with_it(folder: Path, line: Any, field: str) -> None:
    place = f"requests.jsonl:2: {field}" if field else "requests.jsonl:2"
    earlier = CREATE.replace('"at":1', '"at":-1')
    assert trace_problems(earlier, json.dumps(line)) == [place]


@pytest.mark.parametrize(("vm", "field"), BAD_VMS)
def test_what_is_wrong_in_a_vm_is_named_with_its_line(folder: Path, vm: dict[str, Any], field: str) -> None:
    line = {"at": 1, "op": "create", "vm": {"id": "w", "cpu": 1, "ram": 512, **vm}}
    assert trace_problems(CREATE, json.dumps(line)) == [f"requests.jsonl:2: vm.{field}"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("{", "requests.jsonl:2, column 2"),
        (CREATE + CREATE, f"requests.jsonl:2, column {len(CREATE) + 1}"),
        ('{"at": 1, "at": 1, "op": "delete", "id": "v"}', "requests.jsonl:2"),
        ('{"at": Infinity, "op": "delete", "id": "v"}', "requests.jsonl:2: at"),
        ('{"at": ' + "1" * 5000 + ', "op": "delete", "id": "v"}', "requests.jsonl:2"),
        ('{"at": 0.5, "op": "delete", "id": "v"}', "requests.jsonl:2: at"),
        ('{"at": 1, "op": "delete", "id": "' + "v" * (1 << 20) + '"}', "requests.jsonl:2"),
    ],
)
def test_a_line_that_is_none_is_named(folder: Path, line: str, place: str) -> None:
    assert trace_problems(CREATE, line) == [place]


def test_all_that_is_wrong_in_a_line_is_named_at_once(folder: Path) -> None:
    line = '{"at": "now", "op": "create", "vm": {"id": "", "cpu": 1, "ram": "x", "priority": "high"}}'
    fields = ["at", "vm.ram", "vm.priority", "vm.id"]
    assert trace_problems(line) == [f"requests.jsonl:1: {field}" for field in fields]
