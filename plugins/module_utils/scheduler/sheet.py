# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What every rule says about one kind of request, for all hosts at once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from ..model.reason import Reason
from .arrays import ALL, FEW, np
from .filters import FILTERS
from .rule import Ask, Filter
from .scorers import SCORERS

if TYPE_CHECKING:
    from .arrays import Mask, Rows, Vector

# Scores are compared rounded, so that a tie is a tie whatever the order in which floating point added it up.
DIGITS = 9
REFUSED = -1.0
# Numbers from which NumPy may add up those of one host in another order than those of several.
_PAIRWISE = 8


class Sheet:
    """A column for each rule, and their sum.

    ``ranks`` has each host's score, or ``REFUSED``. The same sheet serves all requests that rules cannot tell apart:
    only rows that changed are computed again, by the same code.
    """

    def __init__(self, ask: Ask, filters: tuple[str, ...], weights: Mapping[str, float]) -> None:
        hosts = len(ask.fleet)
        self.filters: tuple[Filter, ...] = tuple(
            FILTERS[name] for name in filters if FILTERS[name].concerns(ask.request) or FILTERS[name].averted(ask)
        )
        self.weights = {name: weight for name, weight in weights.items() if SCORERS[name].concerns(ask.request)}
        self._total = sum(self.weights.values())
        # Those that are asked again and again stand together, so that much is done with all of them at once.
        names = sorted(self.weights, key=lambda name: SCORERS[name].standing)
        self._filters = {
            standing: [(index, rule.passes) for index, rule in enumerate(self.filters) if rule.standing is standing]
            for standing in (False, True)
        }
        self._places = [names.index(name) for name in self.weights]
        self._scorers = [SCORERS[name] for name in names]
        self._weighs = np.array([self.weights[name] for name in names], dtype=np.float64)[:, None]
        self._moving = sum(not scorer.standing for scorer in self._scorers)
        self.passes = np.empty((len(self.filters), hosts), dtype=np.bool_)
        self._values = np.empty((len(self._scorers), hosts), dtype=np.float64)
        self.ranks = np.empty(hosts, dtype=np.float64)
        # What standing rules say, kept for when rows change.
        self._open: Mask = np.ones(hosts, dtype=np.bool_)
        self._base: Vector = np.zeros(hosts, dtype=np.float64)
        # Scores of all hosts, refused or not, and what rules that look at other hosts as well last saw of them.
        self._scores = np.empty(hosts, dtype=np.float64)
        self._stamps: dict[int, Hashable] = {
            index: None for index, rule in enumerate(self.filters) if rule.stamp is not None
        }
        self._wished: tuple[Hashable, ...] = ()
        self._seen, self._mix, self._until = -1, -1, -1.0
        self._at = 0.0

    def refresh(self, ask: Ask) -> None:
        """Look again at what changed: hosts, what is asked for lately, and what grew stale."""
        fleet = ask.fleet
        rows: Rows
        if self._seen < 0 or self._mix != ask.slots.version or not self._at <= ask.now < self._until:
            rows = ALL
            self._at, self._until = ask.now, ask.board.ageing.at(ask.now).until
            self._stand(ask)
        elif self._seen == fleet.version:
            return
        else:
            rows = fleet.changed_since(self._seen) if len(fleet) > FEW else ALL
        wished = tuple(scorer.stamp(ask) for scorer in self._scorers if scorer.stamp is not None)
        if wished != self._wished:
            rows, self._wished = ALL, wished
        self._compute(ask, rows)
        if self._stamps and self._ask_anew(ask):
            self.ranks = np.where(self.passes.all(axis=0), self._scores, REFUSED)
        self._seen, self._mix = fleet.version, ask.slots.version

    def parts(self, rows: Rows) -> Vector:
        """What each scorer says of some hosts: hosts by scorers, in the order of ``weights``."""
        parts: Vector = self._values[:, rows][self._places].T
        return parts

    @property
    def standing(self) -> Mask:
        """The hosts that no rule refuses whatever VMs come and go; others may for the VMs that are there now."""
        return self._open

    def refusing(self, row: int) -> tuple[Filter, ...]:
        """The rules that refuse a host."""
        passes = self.passes[:, row].tolist()
        return tuple(rule for index, rule in enumerate(self.filters) if not passes[index])

    def reasons(self, ask: Ask, row: int) -> tuple[Reason, ...]:
        """Why a host will not do: every rule that says so."""
        return tuple(rule.reason(ask, row) for rule in self.refusing(row))

    def _ask_anew(self, ask: Ask) -> bool:
        """Ask rules that look at other hosts as well, where there is news; whether there was any."""
        news = False
        for index, before in self._stamps.items():
            rule = self.filters[index]
            stamp = rule.stamp(ask) if rule.stamp is not None else None
            if stamp != before:
                self.passes[index] = rule.passes(ask, ALL)
                self._stamps[index] = stamp
                news = True
        return news

    def _compute(self, ask: Ask, rows: Rows) -> None:
        accepted, total = self._add(ask, rows, self._open[rows], self._base[rows], standing=False)
        score = (total / self._total).round(DIGITS) if self._total else total
        if self._stamps:
            self._scores[rows] = score
        self.ranks[rows] = np.where(accepted, score, REFUSED)

    def _stand(self, ask: Ask) -> None:
        """Ask the standing rules."""
        everyone, nothing = np.ones_like(self._open), np.zeros_like(self._base)
        self._open, self._base = self._add(ask, ALL, everyone, nothing, standing=True)

    def _add(self, ask: Ask, rows: Rows, accepted: Mask, total: Vector, *, standing: bool) -> tuple[Mask, Vector]:
        """What some of the rules say, on top of what the others did."""
        for index, ask_rule in self._filters[standing]:
            passes = ask_rule(ask, rows)
            self.passes[index, rows] = passes
            accepted = accepted & passes
        these = slice(self._moving, None) if standing else slice(self._moving)
        scorers = self._scorers[these]
        if not scorers:
            return accepted, total
        values = np.empty((len(scorers), len(total)), dtype=np.float64)
        for index, scorer in enumerate(scorers):
            values[index] = ask.once(scorer.values, rows)
        np.maximum(values, 0.0, out=values)
        np.minimum(values, 1.0, out=values)
        self._values[these, rows] = values
        values *= self._weighs[these]
        if len(scorers) < _PAIRWISE:
            return accepted, total + np.add.reduce(values, axis=0)
        # One after the other, so that a host's sum is the same in whatever company it is computed.
        for part in values:
            total = total + part
        return accepted, total
