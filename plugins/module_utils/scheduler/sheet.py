# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What every rule says about one kind of request, for all hosts at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..model.reason import Reason
from .arrays import ALL, np
from .filters import FILTERS
from .rule import Ask, Filter
from .scorers import SCORERS

if TYPE_CHECKING:
    from .arrays import Mask, Rows, Vector

# Scores are compared rounded, so that a tie is a tie whatever the order in which floating point added it up.
DIGITS = 9
REFUSED = -1.0


class Sheet:
    """A column for each rule, and their sum.

    ``ranks`` has each host's score, or ``REFUSED``. The same sheet serves all requests that rules cannot tell apart:
    only rows that changed are computed again, by the same code.
    """

    def __init__(self, ask: Ask, filters: tuple[str, ...], weights: Mapping[str, float]) -> None:
        hosts = len(ask.fleet)
        self.filters: tuple[Filter, ...] = tuple(
            FILTERS[name] for name in filters if FILTERS[name].concerns(ask.request)
        )
        self.weights = dict(weights)
        self._total = sum(self.weights.values())
        self._scorers = [(SCORERS[name], weight) for name, weight in self.weights.items()]
        self.passes = np.empty((len(self.filters), hosts), dtype=np.bool_)
        self.values = np.empty((len(self._scorers), hosts), dtype=np.float64)
        self.ranks = np.empty(hosts, dtype=np.float64)
        self._seen, self._mix, self._until = -1, -1, -1.0
        self._at = 0.0

    def refresh(self, ask: Ask) -> None:
        """Look again at what changed: hosts, what is asked for lately, and what grew stale."""
        fleet = ask.fleet
        rows: Rows | None
        if self._seen < 0 or self._mix != ask.slots.version or not self._at <= ask.now < self._until:
            rows = ALL
            self._at, self._until = ask.now, _fresh_until(ask)
        elif self._seen == fleet.version:
            return
        else:
            rows = fleet.changed_since(self._seen)
        self._compute(ask, ALL if rows is None else rows)
        self._seen, self._mix = fleet.version, ask.slots.version

    def reasons(self, ask: Ask, row: int) -> tuple[Reason, ...]:
        """Why a host will not do: every rule that says so."""
        return tuple(rule.reason(ask, row) for index, rule in enumerate(self.filters) if not self.passes[index, row])

    def _compute(self, ask: Ask, rows: Rows) -> None:
        accepted: Mask | None = None
        for index, rule in enumerate(self.filters):
            passes = rule.passes(ask, rows)
            self.passes[index, rows] = passes
            accepted = passes if accepted is None else accepted & passes
        total: Vector | None = None
        for index, (scorer, weight) in enumerate(self._scorers):
            values = np.minimum(np.maximum(scorer.values(ask, rows), 0.0), 1.0)
            self.values[index, rows] = values
            total = values * weight if total is None else total + values * weight
        score: Vector | float = 0.0 if total is None else np.round(total / self._total, DIGITS)
        self.ranks[rows] = score if accepted is None else np.where(accepted, score, REFUSED)


def _fresh_until(ask: Ask) -> float:
    """When the first of the measurements that are fresh now is no longer."""
    ends = ask.board.load_until[ask.board.load_until >= ask.now]
    # Fresh up to that very moment: the sheet is good until just after it.
    return float(np.nextafter(ends.min(), np.inf)) if len(ends) else np.inf
