"""What docs/scheduler.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from minicloud_core.scheduler.filters import FILTERS
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import place
from minicloud_core.scheduler.policy import SPREAD, Policy
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
    match = re.search(r"```python\n(from __future__.*?FILTER = .*?)```", TEXT, re.DOTALL)
    assert match is not None
    package = "minicloud_core.scheduler.filters.busy"
    shown: dict[str, Any] = {"__name__": package, "__package__": package.rpartition(".")[0]}
    exec(match[1], shown)
    monkeypatch.setitem(FILTERS, "busy", shown["FILTER"])
    fleet = Fleet([HostView("a", 8, 8192, load=0.99, load_at=0.0), HostView("b", 8, 8192)])
    decision = place(fleet, Request(1, 512), Policy("polite", filters=("busy",)), now=0.0)
    assert decision.host == "b"
    assert [reason.message for reason in decision.refused[0].reasons] == ["99% of the CPU is in use"]
