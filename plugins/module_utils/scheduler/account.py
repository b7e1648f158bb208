# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What every rule said of every host: a decision's long form, read from a sheet's columns as far as somebody asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..model.reason import Reason
from .arrays import np
from .obstacle import Obstacle, obstacles_on
from .remedy import Remedy, Trial, find_remedies
from .rule import Ask
from .sheet import REFUSED, Sheet

if TYPE_CHECKING:
    from .arrays import Integers


# Of scores, and of their parts, where they are shown.
_DIGITS: Final = 6


@dataclass(frozen=True)
class Part:
    """One scorer's word on a host: ``value`` 0 to 1, and what it weighs in the policy."""

    scorer: str
    value: float
    weight: float

    def to_mapping(self) -> dict[str, Any]:
        return {"scorer": self.scorer, "value": round(self.value, _DIGITS), "weight": self.weight}


@dataclass(frozen=True)
class Candidate:
    """A host that would do. ``score`` is the weighted mean of its parts, 0 to 1."""

    host: str
    score: float
    parts: tuple[Part, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "score": round(self.score, _DIGITS),
            "parts": [part.to_mapping() for part in self.parts],
        }


@dataclass(frozen=True)
class Refusal:
    """A host that will not do, with every rule that says so."""

    host: str
    reasons: tuple[Reason, ...]

    def to_mapping(self) -> dict[str, Any]:
        return {"host": self.host, "reasons": [reason.to_mapping() for reason in self.reasons]}


class Account:
    """What all rules say at one moment. To be read before the fleet changes again.

    ``accepts`` and ``refuses`` count hosts.
    """

    def __init__(self, ask: Ask, sheet: Sheet, trial: Trial) -> None:
        self._ask, self._sheet, self._trial = ask, sheet, trial
        self.refuses = int(np.count_nonzero(sheet.ranks == REFUSED))
        self.accepts = len(ask.fleet) - self.refuses

    def accepted(self, most: int | None = None) -> tuple[Candidate, ...]:
        """The hosts that would do, best first.

        :param most: how many at most; None for all.
        """
        sheet, hosts = self._sheet, self._ask.fleet.hosts
        rows = _best(sheet, self.accepts if most is None else min(most, self.accepts))
        ranks, columns = sheet.ranks[rows].tolist(), sheet.parts(rows).tolist()
        names, weights = list(sheet.weights), list(sheet.weights.values())
        return tuple(
            Candidate(hosts[row].id, rank, tuple(map(Part, names, values, weights)))
            for row, rank, values in zip(rows.tolist(), ranks, columns, strict=True)
        )

    def columns(self, most: int) -> dict[str, Any]:
        """The hosts that would do, best first and ``most`` at most, in columns of plain values; see ``record``."""
        sheet, hosts = self._sheet, self._ask.fleet.hosts
        rows = _best(sheet, min(most, self.accepts))
        return {
            "hosts": [hosts[row].id for row in rows.tolist()],
            "scores": sheet.ranks[rows].round(_DIGITS).tolist(),
            "scorers": [*sheet.weights],
            "weights": [*sheet.weights.values()],
            "values": sheet.parts(rows).T.round(_DIGITS).tolist(),
        }

    def refused(self, most: int | None = None) -> tuple[Refusal, ...]:
        """The others, by name.

        :param most: how many at most, those nearest to being accepted: whom the fewest rules refuse. None for all.
        """
        ask, sheet = self._ask, self._sheet
        rows = (sheet.ranks == REFUSED).nonzero()[0]
        if most is not None and most < len(rows):
            against = np.count_nonzero(~sheet.passes[:, rows], axis=0)
            rows = np.sort(rows[against.argsort(kind="stable")[:most]])
        return tuple(Refusal(ask.fleet.hosts[row].id, sheet.reasons(ask, row)) for row in rows.tolist())

    def obstacles(self) -> tuple[Obstacle, ...]:
        """Which rules refuse how many hosts."""
        return obstacles_on(self._ask, self._sheet) if self.refuses else ()

    def remedies(self) -> tuple[Remedy, ...]:
        """Where no host would do, the smallest changes of which each would make it fit; see ``remedy``."""
        return () if self.accepts else find_remedies(self._ask, self._sheet, self._trial)


def _best(sheet: Sheet, count: int) -> Integers:
    """The rows of the highest ranks, best first; equal ones in the order of rows."""
    ranks = sheet.ranks
    if 0 < count < len(ranks) // 4:
        # Whatever is as good as the last of them is looked at too, so that the order among equals is that of rows.
        least = np.partition(ranks, len(ranks) - count)[len(ranks) - count]
        near = (ranks >= least).nonzero()[0]
    else:
        near = np.arange(len(ranks))
    best: Integers = near[(-ranks[near]).argsort(kind="stable")[:count]]
    return best
