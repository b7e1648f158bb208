"""Policy files: mistakes at their lines, and changes taken up without a restart."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud import policy_file
from minicloud.marked_yaml import Mistake
from minicloud.policy_file import PolicyFile, PolicyFileError, find_policy, open_policy, parse_policy, to_yaml
from minicloud.refusal import RefusalError
from minicloud.services import operation, placement
from minicloud.services.policy import FixedPolicy
from minicloud_core.scheduler.policy import PACK, POLICIES, SPREAD

from tests.server.world import ADMIN, World

PATH = Path("night.yml")
NIGHT = b"name: night\nextends: pack\n"
DAY = b"name: day\nextends: spread\n"


def mistakes(text: str | bytes) -> list[Mistake]:
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(PolicyFileError) as caught:
        parse_policy(content, PATH)
    return list(caught.value.mistakes)


def places(text: str | bytes) -> list[tuple[int, int, str]]:
    return [(mistake.line, mistake.column, mistake.field) for mistake in mistakes(text)]


class Ticks:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What is logged: level and fields."""
    lines: list[tuple[str, dict[str, Any]]] = []

    def listen(level: str) -> Callable[..., None]:
        return lambda event, **fields: lines.append((level, {"event": event, **fields}))

    logger = SimpleNamespace(info=listen("info"), warning=listen("warning"))
    with monkeypatch.context() as patch:
        patch.setattr(policy_file, "logger", logger)
        yield lines


def test_every_mistake_stands_at_its_line_and_column() -> None:
    text = """\
extends: packk
name: Night
filters:
  - memory
  - colour
  - memory
weights:
  charm: 1
  load: fast
full: {at: 30, weights: {pack: 0}}
limits:
  swap: 1
  ram_reserved: 1.3M
projects:
  shop:
    extends: packk
    weights: {charm: 1}
host_groups:
  - labels: {tier: gold}
    limits:
      cpu_overcommit: 0
  - limits: {load_fresh: 5}
"""
    assert places(text) == [
        (1, 10, "extends"),
        (2, 7, "name"),
        (5, 5, "filters.1"),
        (6, 5, "filters.2"),
        (8, 3, "weights.charm"),
        (9, 9, "weights.load"),
        (10, 12, "full.at"),
        (10, 32, "full.weights.pack"),
        (12, 3, "limits.swap"),
        (13, 17, "limits.ram_reserved"),
        (16, 14, "projects.shop.extends"),
        (17, 15, "projects.shop.weights.charm"),
        (21, 23, "host_groups.0.limits.cpu_overcommit"),
        (22, 5, "host_groups.1.labels"),
    ]


def test_a_mistake_reads_as_one_line_with_what_would_be_right() -> None:
    text = "name: night\nextends: pack\nwieghts: {}\n"
    with pytest.raises(PolicyFileError) as caught:
        parse_policy(text.encode(), PATH)
    assert caught.value.message == "the policy night.yml has a mistake"
    right = (
        "weights, perhaps; one of name, extends, filters, weights, full, preemption, limits, priority_classes,"
        " projects, host_groups"
    )
    assert caught.value.hint == f"night.yml:3:1: wieghts: 'wieghts' is not a field (right: {right})"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", (1, 1, "")),
        ("# nothing\n", (1, 1, "")),
        ("- pack\n", (1, 1, "")),
        ("weights: {pack: 1}\n", (1, 1, "name")),
        ("\nname: night\n", (2, 1, "weights")),
        ("name: night\nextends: pack\nfull:\n  at: 0.5\n", (4, 3, "full.weights")),
        ("name: night\nextends: pack\nlimits:\n", (3, 8, "limits")),
        ("name: pack\nextends: spread\n", (1, 7, "name")),
        ("name: night\nextends: pack\n7: x\n", (3, 1, "7")),
        ("name: night\nextends: pack\n? [a]\n: x\n", (3, 3, "?")),
    ],
)
def test_what_is_missing_or_has_no_value_is_found_too(text: str, place: tuple[int, int, str]) -> None:
    assert places(text) == [place]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("name: night\nweights: {pack: 1\n", (3, 1, ""), "not YAML"),
        ("name: night\n\tweights: {}\n", (2, 1, ""), "not YAML"),
        ("name: night\nextends: pack\n---\nname: day\n", (3, 1, ""), "not YAML"),
        (b"name: night\nextends: p\x07ck\n", (2, 11, ""), "not YAML"),
        (b"name: night\nextends: p\xffck\n", (2, 10, "extends"), "is not a shipped policy"),
        ("name: night\nweights:\n  pack: 1\n  load: 1\n  pack: 2\n", (5, 3, "weights.pack"), "first on line 3"),
        ("name: night\nname: day\nextends: pack\n", (2, 1, "name"), "given twice, first on line 1"),
        ("name: night\nextends: pack\nfilters: &a [cpu, *a]\n", (3, 10, "filters.1"), "alias"),
        ("name: night\nweights: &w {pack: 1}\nfull:\n  at: 0.5\n  weights: *w\n", (5, 3, "full.weights"), "alias"),
        ("name: night\nweights: {pack: !!int one}\n", (2, 17, "weights.pack"), "not what its tag says"),
        ("name: night\nweights: {pack: !!python/name:os.system ''}\n", (2, 17, "weights.pack"), "is not a weight"),
        ("name: 2026-01-01\nextends: pack\n", (1, 7, "name"), "'2026-01-01' is not a name"),
        ("name: night\nweights: {pack: 1e999}\n", (2, 17, "weights.pack"), "inf is not a weight"),
        ("name: " + "[" * 5000, (1, 1, ""), "nested too deeply"),
    ],
)
def test_what_yaml_itself_allows_or_refuses_is_found(
    text: str | bytes, place: tuple[int, int, str], message: str
) -> None:
    (mistake,) = mistakes(text)
    assert (mistake.line, mistake.column, mistake.field) == place
    assert message in mistake.message


WORDS = st.sampled_from(
    [*"\n\t :{}[],&*!|>'\"%@`-#?~", "name: x\n", "weights: {pack: 1}\n", "full:\n", "  at: .5\n", "!!int "]
)
TEXTS = st.one_of(st.binary(max_size=60), st.lists(st.one_of(WORDS, st.text(max_size=3)), max_size=12).map("".join))


@given(TEXTS)
def test_whatever_stands_there_is_a_policy_or_has_mistakes_at_lines(text: str | bytes) -> None:
    content = text.encode(errors="replace") if isinstance(text, str) else text
    lines = content.decode("utf-8", "replace").splitlines()
    try:
        assert parse_policy(content, PATH).name
    except PolicyFileError as error:
        assert error.mistakes
        assert all(1 <= one.line <= len(lines) + 1 and one.column >= 1 for one in error.mistakes)


def test_numbers_may_be_written_with_a_power_of_ten_as_in_json() -> None:
    policy = parse_policy(b'{"name": "night", "weights": {"pack": 1e-3, "load": 2.5E+1}}', PATH)
    assert policy.weights == {"pack": 0.001, "load": 25.0}


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_policy_that_is_shown_reads_as_itself(policy: Any) -> None:
    text = to_yaml(policy)
    assert text.startswith(f"# version {policy.version}\n")
    assert parse_policy(text.encode(), PATH) == policy


def test_a_policy_is_found_by_name_or_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "night.yml"
    path.write_bytes(NIGHT)
    assert find_policy("pack") is PACK
    assert open_policy("pack") == FixedPolicy(PACK)
    assert find_policy(str(path)) == open_policy(str(path)).current() == replace(PACK, name="night")
    with pytest.raises(RefusalError, match="'best' is not a policy") as caught:
        find_policy("best")
    known = "balanced, critical, energy, pack, spread"
    assert caught.value.hint.startswith(f"one of {known} is, or a file that ends in .yml")
    with pytest.raises(RefusalError, match="cannot be read"):
        open_policy(str(tmp_path / "none.yml"))
    path.write_text("name: night\n")
    with pytest.raises(PolicyFileError):
        open_policy(str(path))


def test_a_changed_file_counts_from_the_next_decision_and_a_bad_one_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ticks = tmp_path / "policy.yml", Ticks()
    path.write_bytes(NIGHT)
    source = PolicyFile(path, ticks)
    night = source.current()

    def after(content: bytes | None) -> str:
        if content is not None:
            path.write_bytes(content)
        ticks.now += 1
        return source.current().name

    with heard(monkeypatch) as lines:
        assert after(b"name: day\nextends: sprad\n") == "night"
        assert after(None) == "night"
        level, told = lines.pop()
        assert (level, told["policy"], told["version"], lines) == ("warning", "night", night.version, [])
        assert told["mistakes"] == [
            f"{path}:2:10: extends: 'sprad' is not a shipped policy "
            "(right: one of balanced, critical, energy, pack, spread)"
        ]
        assert after(DAY) == "day"
        level, told = lines.pop()
        assert (level, told["version"], told["before"]) == ("info", source.current().version, night.version)
        assert after(NIGHT) == "night"
        assert source.current().version == night.version


def test_a_file_that_goes_away_is_told_once_and_counts_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ticks = tmp_path / "policy.yml", Ticks()
    path.write_bytes(NIGHT)
    source = PolicyFile(path, ticks)
    path.unlink()
    with heard(monkeypatch) as lines:
        for _second in range(3):
            ticks.now += 1
            assert source.current().name == "night"
        assert [line["mistakes"] for _level, line in lines] == [[f"{path}: No such file or directory"]]
    path.write_bytes(DAY)
    ticks.now += 1
    assert source.current() == replace(SPREAD, name="day")


def test_the_file_is_looked_at_once_a_second_and_read_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, ticks = tmp_path / "policy.yml", Ticks()
    path.write_bytes(NIGHT)
    changed_at = path.stat().st_ctime
    monkeypatch.setattr(policy_file, "time", SimpleNamespace(time=lambda: changed_at + 10))
    source = PolicyFile(path, ticks)
    path.write_bytes(DAY)
    ticks.now += 0.9
    assert source.current().name == "night"
    ticks.now += 0.1
    assert source.current().name == "day"

    def refuse(_path: Path) -> bytes:
        raise AssertionError("a file that has not changed is not read")

    monkeypatch.setattr(policy_file, "_read", refuse)
    ticks.now += 1
    assert source.current().name == "day"


def test_a_decision_names_the_policy_and_the_version_that_made_it(world: World, tmp_path: Path) -> None:
    path, ticks = tmp_path / "policy.yml", Ticks()
    path.write_bytes(NIGHT)
    source = PolicyFile(path, ticks)
    world.ctx = replace(world.ctx, policy=source)
    world.fleet("node1", "node2")
    first = world.create("web01")
    night = source.current()
    path.write_bytes(DAY)
    ticks.now += 1
    world.create("web02")
    day = source.current()
    assert (night.name, day.name) == ("night", "day")
    for name, policy in (("web01", night), ("web02", day)):
        (kept,) = placement.explain(world.ctx, ADMIN, name)
        assert kept.policy_version == kept.decision["policy_version"] == policy.version
        assert kept.decision["policy"] == policy.name
    assert first.operation is not None
    reasons = operation.get(world.ctx, ADMIN, first.operation.id).reasons
    (numbers,) = (reason["numbers"] for reason in reasons if reason["rule"] == "placement")
    assert (numbers["policy"], numbers["policy_version"]) == ("night", night.version)


def test_the_documentation_shows_what_happens() -> None:
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
    day, good, bad = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert parse_policy(good.encode(), PATH).name == "night"
    told = re.search(r"```\n(night\.yml:.*?)```", text, re.DOTALL)
    assert told is not None
    assert [f"night.yml:{mistake}" for mistake in mistakes(bad)] == told[1].splitlines()
    named = set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))
    fields = parse_policy(day.encode(), PATH).to_mapping()
    tables = {f"{table}.{key}" for table in ("full", "preemption", "limits") for key in fields[table]}
    assert named == {"extends", *fields, *POLICIES} - {"full", "preemption", "limits"} | tables


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = str(Path(sys.executable).with_name("minicloud"))
    environment = {"MINICLOUD_POLICY": "spread", "LANG": "C.UTF-8"}
    return subprocess.run([command, *words], capture_output=True, text=True, timeout=60, check=False, env=environment)


@pytest.mark.slow
def test_the_command_says_ok_or_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "night.yml"
    path.write_bytes(NIGHT)
    version = find_policy(str(path)).version
    good = run("policy", "check", str(path))
    assert (good.returncode, good.stdout) == (0, f"ok night {version}\n")
    path.write_text("name: night\nextends: packk\nlimits: {swap: 1}\n")
    bad = run("policy", "check", str(path))
    assert bad.returncode == 2
    assert [line.partition(" ")[0] for line in bad.stdout.splitlines()] == [f"{path}:2:10:", f"{path}:3:10:"]
    told = json.loads(run("policy", "check", "-o", "json", str(path)).stdout)
    assert [(one["line"], one["column"], one["field"]) for one in told["mistakes"]] == [
        (2, 10, "extends"),
        (3, 10, "limits.swap"),
    ]
    gone = run("policy", "check", str(tmp_path / "none.yml"))
    assert (gone.returncode, gone.stdout) == (2, "")
    assert "No such file" in gone.stderr


@pytest.mark.slow
def test_the_command_shows_a_policy_as_a_file(tmp_path: Path) -> None:
    assert run("policy", "show").stdout == to_yaml(SPREAD)
    assert run("policy", "show", "pack").stdout == to_yaml(PACK)
    shown = json.loads(run("policy", "show", "pack", "-o", "json").stdout)
    assert shown == {"version": PACK.version, "policy": PACK.to_mapping()}
    unknown = run("policy", "show", "best")
    assert unknown.returncode == 2
    assert "'best' is not a policy" in unknown.stderr
