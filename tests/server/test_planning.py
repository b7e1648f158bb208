"""``minicloud rebalance``, ``drain``, ``evacuate`` and ``consolidate``, and what docs/planning.md shows of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from minicloud.main import app
from typer.testing import CliRunner, Result

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "planning.md").read_text(encoding="utf-8")
SCHEMA = Draft202012Validator(json.loads((DOCS / "schemas" / "plan.schema.json").read_text(encoding="utf-8")))
COMMANDS = {
    "rebalance --fleet fleet.json": 0,
    "drain --fleet fleet.json --host node1": 6,
    "evacuate --fleet fleet.json --host node1": 0,
    "consolidate --fleet fleet.json": 0,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINICLOUD_OUTPUT", raising=False)
    match = re.search(r"^```json\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert match is not None
    (tmp_path / "fleet.json").write_text(match[1], encoding="utf-8")
    return tmp_path


def run(command: str) -> Result:
    return CliRunner().invoke(app, command.split())


def planned(command: str, code: int = 0) -> dict[str, Any]:
    result = run(f"{command} --output json")
    assert (result.exit_code, result.stderr) == (code, "")
    plan: dict[str, Any] = json.loads(result.stdout)
    SCHEMA.validate(plan)
    return plan


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_shows_what_is_printed(folder: Path, command: str) -> None:
    result = run(command)
    match = re.search(rf"^\$ minicloud {re.escape(command)}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert match is not None
    assert (result.exit_code, result.stderr) == (COMMANDS[command], "")
    assert result.stdout == match[1]


def test_the_plans_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA.schema)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_plan_is_printed_and_written_as_its_schema_says(folder: Path, command: str) -> None:
    plan = planned(f"{command} --out plan.json", COMMANDS[command])
    assert plan["moves"]
    assert json.loads((folder / "plan.json").read_text(encoding="utf-8")) == plan


def test_the_options_of_a_rebalance_are_heeded(folder: Path) -> None:
    command = "rebalance --fleet fleet.json"
    assert len(planned(command)["moves"]) == 2
    assert len(planned(f"{command} --at-most 1")["moves"]) == 1
    assert planned(f"{command} --min-gain 5")["moves"] == []
    assert planned(f"{command} --move-cost 50")["moves"] == []
    assert planned(f"{command} --until 0.6")["moves"] == []
    assert planned(f"{command} --policy pack") == planned(command)


def test_the_options_of_a_consolidation_are_heeded(folder: Path) -> None:
    command = "consolidate --fleet fleet.json"
    assert planned(f"{command} --keep 3")["moves"] == []
    assert planned(f"{command} --headroom 0.6")["moves"] == []
    assert planned(f"{command} --min-watts 1000")["moves"] == []


def test_a_plan_without_moves_says_so_and_why_not(folder: Path) -> None:
    hosts = [{"id": f"node{number}", "cpu": 8, "ram": "4G"} for number in range(6)]
    vms = [{"id": "big", "host": "node0", "cpu": 1, "ram": "8G"}]
    (folder / "full.json").write_text(json.dumps({"hosts": hosts, "vms": vms}), encoding="utf-8")
    result = run("drain --fleet full.json --host node0")
    assert result.exit_code == 6
    said = "8 GiB wanted, 3840 MiB free of 3840 MiB (4 GiB less 256 MiB for the host)"
    assert result.stdout.splitlines()[5:] == [
        "STAYS  ON     WHY",
        f"big    node0  node1: {said}; node2: {said}; node3: {said}; 2 more hosts: memory on 2",
        "",
        "Nothing to move.",
    ]
    assert len(planned("drain --fleet full.json --host node0", 6)["stay"][0]["reasons"]) == 5


def test_a_fleet_of_one_host_has_no_other(folder: Path) -> None:
    fleet = {"hosts": [{"id": "a", "cpu": 8, "ram": "4G"}], "vms": [{"id": "v", "host": "a", "cpu": 1, "ram": "1G"}]}
    (folder / "one.json").write_text(json.dumps(fleet), encoding="utf-8")
    assert "v      a   there is no other host" in run("drain --fleet one.json --host a").stdout
    assert planned("drain --fleet one.json --host a", 6)["stay"] == [{"vm": "v", "host": "a", "reasons": []}]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("drain --fleet fleet.json --host node9", "host: 'node9' is not among the hosts (right: node1, node2, node3)"),
        ("evacuate --fleet fleet.json --host node9", "'node9' is not among the hosts"),
        ("drain --fleet fleet.json", "--host"),
        ("rebalance --fleet none.json", "none.json"),
        ("rebalance --fleet fleet.json --policy best", "'best' is not a policy"),
        ("rebalance --fleet fleet.json --out fleet.json", "--out fleet.json is read as well"),
        ("rebalance --fleet fleet.json --min-gain -1", "--min-gain"),
        ("consolidate --fleet fleet.json --headroom 1", "--headroom"),
        ("rebalance --fleet fleet.json --min-gain nan", "--min-gain"),
        ("consolidate --fleet fleet.json --min-watts inf", "watts is inf"),
    ],
)
def test_wrong_input_ends_with_2_and_says_what(folder: Path, command: str, words: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run(command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_that_cannot_be_written_ends_with_1(folder: Path) -> None:
    result = run("rebalance --fleet fleet.json --out nowhere/plan.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "minicloud: nowhere/plan.json: No such file or directory\n"
