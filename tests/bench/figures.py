"""Figures out of samples, and tables out of figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` of all values do not exceed (nearest rank).

    :raises ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values, no percentile")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True)
class Table:
    """A table with a heading and what it was measured with."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As it stands in docs/benchmarks.md."""
        lines = ["| " + " | ".join(row) + " |" for row in (self.headings, *self.rows)]
        lines.insert(1, "|" + "---|" * len(self.headings))
        return "\n".join([f"### {self.title}", "", self.note, "", *lines])

    def text(self) -> str:
        """As it is printed."""
        grid = [self.headings, *self.rows]
        widths = [max(len(row[column]) for row in grid) for column in range(len(self.headings))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in grid]
        return "\n".join([self.title, *lines])


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def whole_seconds(seconds: float) -> str:
    return f"{seconds:.2f} s"
