"""What docs/scheduler.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from minicloud_core.scheduler.filters import FILTERS
from minicloud_core.scheduler.policy import BALANCED
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
    assert {name: float(weight) for name, weight in weights.items()} == BALANCED.weights
