"""``minicloud simulate`` in a terminal, and what docs/simulation.md shows of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from minicloud.main import app
from typer.testing import CliRunner, Result

TEXT = (Path(__file__).parents[3] / "docs" / "simulation.md").read_text(encoding="utf-8")
FILES = ["--fleet", "fleet.json", "--requests", "requests.jsonl"]
# What differs by the machine, and what is another whenever a rule or a policy is.
_VARIES = re.compile(r"^speed .*$|version \w{12}$|\"score\":[\d.]+", re.MULTILINE)


def block(language: str) -> str:
    match = re.search(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINICLOUD_OUTPUT", raising=False)
    (tmp_path / "fleet.json").write_text(block("json"), encoding="utf-8")
    (tmp_path / "requests.jsonl").write_text(block("jsonl"), encoding="utf-8")
    return tmp_path


def simulate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *arguments])


def shown(command: str) -> str:
    """What the page says that a command prints."""
    match = re.search(rf"^\$ {re.escape(command)}\n(.*?)^(?:```|\$ )", TEXT, re.MULTILINE | re.DOTALL)
    assert match is not None
    return _VARIES.sub("", match[1])


@pytest.mark.parametrize("further", ["", " --policy pack --out decisions.jsonl"])
def test_the_page_shows_what_is_printed(folder: Path, further: str) -> None:
    command = "minicloud simulate --fleet fleet.json --requests requests.jsonl" + further
    result = simulate(*command.split()[2:])
    assert (result.exit_code, result.stderr) == (0, "")
    assert _VARIES.sub("", result.stdout) == shown(command)
    if further:
        written = (folder / "decisions.jsonl").read_text(encoding="utf-8")
        assert _VARIES.sub("", written) == shown("cat decisions.jsonl")


def test_the_page_shows_the_error_of_a_slip(folder: Path) -> None:
    line = {"at": 5, "op": "create", "vm": {"id": "web2", "cpus": 1, "cpu": 1, "ram": "8G", "anti_affinity": ["web1"]}}
    first = block("jsonl").splitlines()[0]
    (folder / "typo.jsonl").write_text(f"{first}\n{json.dumps(line)}\n", encoding="utf-8")
    result = simulate("--fleet", "fleet.json", "--requests", "typo.jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == shown("minicloud simulate --fleet fleet.json --requests typo.jsonl")


def test_a_program_gets_json(folder: Path) -> None:
    result = simulate(*FILES, "--policy", "pack", "--output", "json")
    report = json.loads(result.stdout)
    assert (report["policy"], report["creates"], report["placed"], report["refused"]) == ("pack", 4, 4, 0)
    assert (report["deletes"], report["first_refusal"], report["refused_by"]) == (1, None, [])
    assert report["decisions_per_cpu_second"] > 0


def test_a_policy_may_be_a_file(folder: Path) -> None:
    (folder / "tight.yml").write_text("{name: tight, extends: pack, limits: {cpu_overcommit: 0.25}}", encoding="utf-8")
    report = json.loads(simulate(*FILES, "--policy", "tight.yml", "-o", "json").stdout)
    assert (report["policy"], report["placed"]) == ("tight", 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fleet", "none.json", "--requests", "requests.jsonl"], "none.json"),
        (["--fleet", "fleet.json", "--requests", "."], "directory"),
        ([*FILES, "--policy", "best"], "'best' is not a policy"),
        ([*FILES, "--policy", "none.yml"], "none.yml"),
        (["--fleet", "requests.jsonl", "--requests", "requests.jsonl"], "minicloud: requests.jsonl:2:1: not JSON"),
        (["--fleet", "fleet.json", "--requests", "fleet.json"], "minicloud: fleet.json:1, column 2: not JSON"),
        ([*FILES, "--out", "fleet.json"], "--out fleet.json is read as well"),
        ([*FILES, "--out", "./requests.jsonl"], "--out requests.jsonl is read as well"),
        (["--fleet", "fleet.json"], "--requests"),
    ],
)
def test_wrong_input_ends_with_2_and_says_what(folder: Path, arguments: list[str], words: str) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = simulate(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_that_cannot_be_written_ends_with_1(folder: Path) -> None:
    result = simulate(*FILES, "--out", "nowhere/decisions.jsonl")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "minicloud: nowhere/decisions.jsonl: No such file or directory\n"


def test_a_wrong_line_leaves_the_decisions_up_to_it(folder: Path) -> None:
    with (folder / "requests.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"at": 80, "op": "delete", "id": "web9"}\n')
    result = simulate(*FILES, "--out", "decisions.jsonl")
    assert result.exit_code == 2
    assert result.stderr.startswith("minicloud: requests.jsonl:6: id: there is no VM web9")
    lines = (folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["web1", "batch", "web2", "web3"]


def test_a_wrong_fleet_leaves_what_was_written_before(folder: Path) -> None:
    (folder / "decisions.jsonl").write_text("kept", encoding="utf-8")
    (folder / "fleet.json").write_text("{}", encoding="utf-8")
    assert simulate(*FILES, "--out", "decisions.jsonl").exit_code == 2
    assert (folder / "decisions.jsonl").read_text(encoding="utf-8") == "kept"


def test_the_same_files_print_the_same(folder: Path) -> None:
    first, second = (_VARIES.sub("", simulate(*FILES).stdout) for _time in range(2))
    assert first == second
