"""What docs/scheduler.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from minicloud_core.scheduler.filters import FILTERS
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import SPREAD, Policy
from minicloud_core.scheduler.policy_document import read_policy
from minicloud_core.scheduler.priority import Precedence
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.scorers import SCORERS

TEXT = (Path(__file__).parents[3] / "docs" / "scheduler.md").read_text(encoding="utf-8")


def test_the_first_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    match = re.search(r"```python\n(.*?)```\n```\n(.*?)```", TEXT, re.DOTALL)
    assert match is not None
    exec(match[1], {})
    assert capsys.readouterr().out == match[2]


def test_every_rule_is_in_its_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE)) == {*FILTERS, *SCORERS}
    weights = dict(re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) \|$", TEXT, re.MULTILINE))
    assert {name: float(weight) for name, weight in weights.items()} == SPREAD.weights


def test_the_rule_shown_as_an_example_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILTERS, "busy", shown("filters", "busy")["FILTER"])
    policy = shown_policy("polite")
    assert policy.filters[-1] == "busy"
    fleet = Fleet([HostView("a", 8, 8192, load=0.99, load_at=0.0), HostView("b", 8, 8192)])
    decision = place(fleet, Request(1, 512), policy, now=0.0)
    assert decision.host == "b"
    assert [reason.message for reason in decision.refused[0].reasons] == ["99% of the CPU is in use"]


def test_the_preference_shown_as_an_example_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCORERS, "free_bandwidth", shown("scorers", "free_bandwidth")["SCORER"])
    policy = shown_policy("wide")
    fleet = Fleet([HostView("a", 8, 8192, bandwidth_mbps=500), HostView("b", 8, 8192, bandwidth_mbps=1000)])
    decision = place(fleet, Request(1, 512, bandwidth_mbps=100), policy, now=0.0)
    values = {one.host: {part.scorer: part.value for part in one.parts} for one in decision.accepted}
    assert decision.host == "b"
    assert {host: parts["free_bandwidth"] for host, parts in values.items()} == {"a": 0.8, "b": 0.9}
    # Who asks for no bandwidth is not judged by it.
    assert place(fleet, Request(1, 512), policy, now=0.0).host == "a"


def shown(package: str, name: str) -> dict[str, Any]:
    """The module that the page shows for a file of that name."""
    match = re.search(
        rf"`plugins/module_utils/scheduler/{package}/{name}\.py`:\n\n```python\n(.*?)```", TEXT, re.DOTALL
    )
    assert match is not None
    inside = f"minicloud_core.scheduler.{package}"
    module: dict[str, Any] = {"__name__": f"{inside}.{name}", "__package__": inside}
    exec(match[1], module)
    return module


def shown_policy(name: str) -> Policy:
    match = re.search(rf"```yaml\n(name: {name}\n.*?)```", TEXT, re.DOTALL)
    assert match is not None
    return read_policy(yaml.safe_load(match[1]))


def test_the_batch_shown_is_placed() -> None:
    match = re.search(r"```python\n(from minicloud_core\.scheduler\.batch.*?)```", TEXT, re.DOTALL)
    assert match is not None
    fleet = Fleet([HostView("a", 8, 8192, labels={"rack": "1"}), HostView("b", 8, 8192, labels={"rack": "2"})])
    names = {"fleet": fleet, "policy": SPREAD, "request": Request(1, 512), "now": 0.0, "scheduler": Scheduler(fleet)}
    exec(match[1], names)
    assert fleet.vms() == ["db1", "db2", "web1"]
    assert fleet.where("db1") != fleet.where("db2")


def test_the_preemption_shown_reads() -> None:
    match = re.search(r"```yaml\n(preemption:.*?)```", TEXT, re.DOTALL)
    assert match is not None
    policy = read_policy({"name": "strict", "extends": "spread", **yaml.safe_load(match[1])})
    assert policy.preemption == Precedence(from_priority=100, victims_below=50, at_most=4)
