"""The figures that benchmarks print: what a percentile is, and that the page around them is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.figures import Table, percentile
from tests.bench.report import BEGIN, END, write


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1), (0.0, 1)])
def test_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_report_replaces_the_figures_and_keeps_the_words(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Before\n\n{BEGIN}\nold\n{END}\n\nAfter\n")
    table = Table("Speed", "How.", ("what", "time"), (("one", "1 s"),))
    for _time in range(2):
        write(page, [table], "make bench")
    text = page.read_text()
    assert text.startswith("# Before\n") and text.endswith("\nAfter\n")
    assert "old" not in text
    assert text.count("| one | 1 s |") == 1
    assert "`make bench`" in text
    page.write_text("no markers")
    with pytest.raises(ValueError, match="lacks the markers"):
        write(page, [table], "make bench")
