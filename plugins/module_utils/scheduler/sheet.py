# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What every rule says about one kind of request, for all hosts at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from ..model.reason import Reason
from .arrays import ALL, FEW, np
from .filters import FILTERS
from .rule import Ask, Filter
from .scorers import SCORERS

if TYPE_CHECKING:
    from .arrays import Mask, Rows, Vector

    Passes = Callable[[Ask, Rows], Mask]

# Scores are compared rounded, so that a tie is a tie whatever the order in which floating point added it up.
DIGITS = 9
REFUSED = -1.0
# Numbers from which NumPy may add up those of one host in another order than those of several.
_PAIRWISE = 8
# No rule's stamp.
_NEVER: Final = object()


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
        # Scorers that are asked again and again stand together, so that much is done with all of them at once.
        names = sorted(self.weights, key=lambda name: SCORERS[name].standing)
        self._scorers = [SCORERS[name] for name in names]
        self._places = [names.index(name) for name in self.weights]
        total = sum(self.weights.values())
        self._weighs = np.array([self.weights[name] / total for name in names], dtype=np.float64)[:, None]
        self._moving = sum(not scorer.standing for scorer in self._scorers)
        self._moving_filters = [(index, rule.passes) for index, rule in enumerate(self.filters) if not rule.standing]
        self._stamped: list[_Stamped] = [
            *(
                _Stamped(rule.stamp, rule.passes, index, rule.standing)
                for index, rule in enumerate(self.filters)
                if rule.stamp
            ),
            *(
                _Stamped(one.stamp, one.values, ~index, one.standing)
                for index, one in enumerate(self._scorers)
                if one.stamp
            ),
        ]
        self.passes = np.empty((len(self.filters), hosts), dtype=np.bool_)
        self._values = np.empty((len(self._scorers), hosts), dtype=np.float64)
        self.ranks = np.empty(hosts, dtype=np.float64)
        # What standing scorers say together.
        self._base: Vector = np.zeros(hosts, dtype=np.float64)
        # For rules that compute something once for as long as what stands does.
        self._constants: dict[object, Any] = {}
        self._seen, self._stood = -1, -1
        self._at, self._until = 0.0, -1.0

    def refresh(self, ask: Ask) -> None:
        """Look again at what changed: hosts, what is asked for lately, and what grew stale."""
        fleet = ask.fleet
        ask.constants = self._constants
        rows: Rows | None
        stands = self._stood == fleet.state_version and self._at <= ask.now < self._until
        if not stands:
            self._stand(ask)
            rows = ALL
        elif self._seen == fleet.version:
            rows = None
        else:
            rows = fleet.changed_since(self._seen) if len(fleet) > FEW else ALL
        anew = [one for one in self._stamped if one.news(ask)] if self._stamped else ()
        if rows is not None:
            self._ask_filters(ask, self._moving_filters, rows)
            self._ask_scorers(ask, slice(self._moving), rows)
            self._seen = fleet.version
        for one in anew:
            # The others have been asked about all hosts just now.
            if stands if one.standing else rows is not ALL:
                self._ask_anew(ask, one)
        if anew:
            rows = ALL
        if rows is not None:
            self._combine(rows)

    def parts(self, rows: Rows) -> Vector:
        """What each scorer says of some hosts: hosts by scorers, in the order of ``weights``."""
        parts: Vector = self._values[:, rows][self._places].T
        return parts

    @property
    def standing(self) -> Mask:
        """The hosts that no rule refuses whatever VMs come and go; others may for the VMs that are there now."""
        standing = [index for index, rule in enumerate(self.filters) if rule.standing and rule.stamp is None]
        everyone: Mask = np.logical_and.reduce(self.passes[standing], axis=0)
        return everyone

    def refusing(self, row: int) -> tuple[Filter, ...]:
        """The rules that refuse a host."""
        passes = self.passes[:, row].tolist()
        return tuple(rule for index, rule in enumerate(self.filters) if not passes[index])

    def reasons(self, ask: Ask, row: int) -> tuple[Reason, ...]:
        """Why a host will not do: every rule that says so."""
        return tuple(rule.reason(ask, row) for rule in self.refusing(row))

    def _stand(self, ask: Ask) -> None:
        """Ask the standing rules."""
        self._constants.clear()
        standing = [(index, rule.passes) for index, rule in enumerate(self.filters) if rule.standing]
        self._ask_filters(ask, standing, ALL)
        these = slice(self._moving, None)
        self._ask_scorers(ask, these, ALL)
        self._base = self._sum(np.zeros_like(self._base), self._values[these] * self._weighs[these])
        self._stood = ask.fleet.state_version
        self._at, self._until = ask.now, ask.board.ageing.at(ask.now).until

    def _ask_filters(self, ask: Ask, filters: Sequence[tuple[int, Passes]], rows: Rows) -> None:
        passes = self.passes
        for index, ask_rule in filters:
            passes[index, rows] = ask_rule(ask, rows)

    def _ask_scorers(self, ask: Ask, these: slice, rows: Rows) -> None:
        scorers = self._scorers[these]
        if not scorers:
            return
        kept = self._values[these]
        values = kept if rows is ALL else np.empty((len(scorers), len(self.ranks[rows])), dtype=np.float64)
        for index, scorer in enumerate(scorers):
            values[index] = ask.once(scorer.values, rows)
        np.maximum(values, 0.0, out=values)
        np.minimum(values, 1.0, out=values)
        if values is not kept:
            kept[:, rows] = values

    def _ask_anew(self, ask: Ask, one: _Stamped) -> None:
        """Ask a rule that looks at other hosts as well about all of them."""
        answer = one.ask(ask, ALL)
        if one.place >= 0:
            self.passes[one.place] = answer
        else:
            self._values[~one.place] = np.minimum(np.maximum(answer, 0.0), 1.0)

    def _combine(self, rows: Rows) -> None:
        """Rank some hosts by what all rules say of them."""
        accepted = np.logical_and.reduce(self.passes[:, rows], axis=0)
        moving = slice(self._moving)
        total = self._sum(self._base[rows], self._values[moving, rows] * self._weighs[moving])
        self.ranks[rows] = np.where(accepted, total.round(DIGITS), REFUSED)

    @staticmethod
    def _sum(base: Vector, parts: Vector) -> Vector:
        if len(parts) < _PAIRWISE:
            total: Vector = base + np.add.reduce(parts, axis=0)
            return total
        # One after the other, so that a host's sum is the same in whatever company it is computed.
        for part in parts:
            base = base + part
        return base


class _Stamped:
    """A rule that looks at other hosts as well.

    :param place: a filter's index, or the complement of a scorer's.
    """

    __slots__ = ("_before", "_stamp", "ask", "place", "standing")

    def __init__(
        self, stamp: Callable[[Ask], Hashable], ask: Callable[[Ask, Rows], Any], place: int, standing: bool
    ) -> None:
        self._stamp, self.ask, self.place, self.standing = stamp, ask, place, standing
        self._before: Hashable = _NEVER

    def news(self, ask: Ask) -> bool:
        """Whether its stamp is another than when this was asked last."""
        stamp = self._stamp(ask)
        if stamp == self._before:
            return False
        self._before = stamp
        return True
