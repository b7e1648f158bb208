"""Many VMs at once, from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import typer
from minicloud.cli.batch_file import read_batch

from tests.server.cli.conftest import Run

YAML = """
vms:
  - name: {0}1
    ram: 256M
    labels: {{built: 2026-11-21}}
  - {{name: {0}2, ram: 256, scheduling: {{prefer_with: ["vm:{0}1"]}}}}
  - {{name: {0}3, cpu: 1}}
groups:
  - {{name: db, vms: [{0}1, {0}2], spread: [host]}}
"""


def new() -> str:
    return f"b-{uuid4().hex[:8]}-"


def written(folder: Path, text: str) -> Path:
    file = folder / "vms.yml"
    file.write_text(text)
    return file


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    read = read_batch(written(tmp_path, YAML.format("db")))
    assert read["vms"][0] == {"name": "db1", "ram": "256M", "labels": {"built": "2026-11-21"}}
    assert read["groups"] == [{"name": "db", "vms": ["db1", "db2"], "spread": ["host"]}]
    assert read_batch(written(tmp_path, json.dumps(read))) == read
    assert read_batch(written(tmp_path, '[{"name": "a"}]')) == {"vms": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("vms: [", "neither YAML nor JSON"),
        ("vms:\n- name: a\n  cpu: 1\n  cpu: 2\n", "line 4"),
        ("just words", "neither a list"),
        ("[{name: a, cpu: .nan}]", "no word for"),
        ("[{name: a, cpu: !!binary aGk=}]", "no word for"),
    ],
)
def test_what_is_no_batch_is_refused_with_words(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(typer.BadParameter, match=what):
        read_batch(written(tmp_path, text))


@pytest.mark.slow
def test_a_dry_run_tells_where_and_the_file_is_then_made(run: Run, tmp_path: Path) -> None:
    prefix = new()
    file = str(written(tmp_path, YAML.format(prefix)))
    told = run("vm", "create", "--file", file, "--dry-run")
    assert told.code == 0, told.err
    heading, *lines = told.out.splitlines()
    assert heading.split() == ["NAME", "ID", "RESULT", "HOST", "OPERATION", "WHY"]
    assert [line.split()[0] for line in lines] == [f"{prefix}{number}" for number in (1, 2, 3)]
    assert all("would be made" in line and "score" in line for line in lines)
    assert "3 would be made, 0 would be refused" in told.err
    made = run("vm", "create", "--file", file, "--wait", "-o", "json")
    assert made.code == 0, made.err
    items: list[dict[str, Any]] = made.json["items"]
    assert [item["vm"]["status"] for item in items] == ["running"] * 3
    assert items[0]["vm"]["host"] != items[1]["vm"]["host"]
    again = run("vm", "create", "--file", file)
    assert [line.split()[2:4] for line in again.out.splitlines()[1:]] == [["is", "there"]] * 3
    assert "0 made, 0 refused" in again.err


@pytest.mark.slow
def test_what_is_refused_is_told_and_ends_with_its_code(run: Run, tmp_path: Path) -> None:
    prefix = new()
    file = str(written(tmp_path, json.dumps([{"name": f"{prefix}1"}, {"name": f"{prefix}2", "ram": "8T"}])))
    whole = run("vm", "create", "--file", file, "--all")
    assert (whole.code, whole.out) == (6, "")
    assert "1 of 2 VMs may not be made" in whole.err
    assert f"{prefix}1" in whole.err
    assert "minicloud.batch.refused" in whole.err
    some = run("vm", "create", "-f", file)
    assert some.code == 6
    assert [line.split()[0] for line in some.out.splitlines() if "refused" in line] == [f"{prefix}2"]
    assert "1 made, 1 refused" in some.err


@pytest.mark.slow
def test_a_mistake_in_the_file_is_named_with_its_path(run: Run, tmp_path: Path) -> None:
    ended = run("vm", "create", "--file", str(written(tmp_path, "[{name: a, cpu: 0}, {name: b, ramm: 1}]")))
    assert ended.code == 2
    assert "vms.0.cpu" in ended.err
    assert "vms.1.ramm" in ended.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [(), ("--all",), ("web01", "--all"), ("web01", "--file", "x"), ("--file", "x", "--cpu", "2")]
)
def test_one_vm_or_a_file(run: Run, words: tuple[str, ...]) -> None:
    ended = run("vm", "create", *words)
    assert ended.code == 2
    assert ended.out == ""


@pytest.mark.slow
def test_what_was_refused_can_be_asked_for_later(run: Run, tmp_path: Path) -> None:
    name = new().rstrip("-")
    assert run("vm", "create", name, "--ram", "8T").code == 6
    (record,) = run("placement", "list", "--name", name, "--refused", "-o", "json").json
    assert (record["host"], record["vm"], record["request"]["ram_mib"]) == (None, None, 8 * 1024 * 1024)
    shown = run("placement", "show", str(record["id"]))
    assert shown.code == 0
    assert "nowhere" in shown.out
    assert "it would fit:" in shown.out
    assert run("placement", "list", "--name", name, "--placed", "-o", "json").json == []
    line = run("placement", "list", "--name", name).out.splitlines()[1]
    assert "nowhere" in line
    assert run("placement", "show", "999999999").code == 3
    (told,) = run("vm", "explain", name, "-o", "json").json
    assert (told["id"], told["vm"]) == (record["id"], None)
    assert "it would fit:" in run("vm", "explain", name).out
    assert run("vm", "explain", f"{name}-never").code == 3
    policy = written(tmp_path, "name: one\nfilters: [cpu]\nweights: {}\n")
    tried = run("policy", "test", str(policy), "--last", "1", "-o", "json").json
    assert (tried["decisions"], tried["accepted"], tried["by_policy"]) == (1, 1, 1)
    table = run("policy", "test", str(policy), "--last", "1").out
    assert any(line.split() == ["placed", "now", "1"] for line in table.splitlines())
    assert any(name in line and "nowhere" in line for line in table.splitlines())
