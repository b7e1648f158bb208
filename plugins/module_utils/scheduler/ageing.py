# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What measurements and failures are still worth: all of it changes with time alone, and in steps.

In steps, so that what was computed holds until the next of them. A measurement is worth less each time that its age
has doubled, a failure each time that another half-life has passed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .arrays import np
from .limit_columns import LimitColumns
from .measure_columns import MeasureColumns

if TYPE_CHECKING:
    from .arrays import Mask, Vector

# A host of which nothing is known is liked less than an idle one and more than a busy one.
UNKNOWN: Final = 0.5
# What answers in so many milliseconds is worth half: a disk that turns does when nobody else wants it.
LATENCY_MS: Final = 10.0
# A measurement is worth all while it is fresh, half up to twice that age, and nothing beyond this many times.
STALE: Final = (1, 2, 4, 8, 16)
# A failure is worth half as much after so long, and nothing after so many times as long: two days.
HALF_LIFE: Final = 6 * 3600.0
HALVINGS: Final = 8


@dataclass(frozen=True)
class Worth:
    """Columns for one time; they hold from ``since`` until just before ``until``.

    ``told_lately`` is not false but where a host was measured and has not been for longer than the policy allows.
    """

    since: float
    until: float
    load: Vector
    io_latency: Vector
    staleness: Vector
    stability: Vector
    told_lately: Mask


class Ageing:
    """Measurements by a policy's figures."""

    def __init__(self, measured: MeasureColumns, limits: LimitColumns) -> None:
        self._measured = measured
        self._good_until = measured.at + limits.load_fresh_seconds * np.array(STALE, dtype=np.float64)[:, None]
        self._told_until = measured.at + limits.metrics_fresh_seconds
        self._half_until = measured.failed_at + HALF_LIFE * np.arange(1.0, HALVINGS + 1)[:, None]
        self._worth: Worth | None = None

    def at(self, now: float) -> Worth:
        """What all of it is worth at a time, in Unix seconds."""
        worth = self._worth
        if worth is None or not worth.since <= now < worth.until:
            worth = self._worth = self._compute(now)
        return worth

    def _compute(self, now: float) -> Worth:
        measured = self._measured
        # What was never measured is NaN, and no comparison with it holds.
        fresh = now <= self._good_until[0]
        return Worth(
            since=now,
            until=self._until(now),
            load=_known_or_half(1.0 - measured.busy, fresh),
            io_latency=_known_or_half(1.0 / (1.0 + measured.io_latency / LATENCY_MS), fresh),
            staleness=self._staleness(now),
            stability=self._stability(now),
            told_lately=~(now > self._told_until),
        )

    def _staleness(self, now: float) -> Vector:
        passed = np.count_nonzero(now > self._good_until, axis=0)
        worth: Vector = np.where(np.isnan(self._measured.at) | (passed == len(STALE)), 0.0, 0.5**passed)
        return worth

    def _stability(self, now: float) -> Vector:
        halved = np.count_nonzero(now > self._half_until, axis=0)
        weights = np.where(halved == HALVINGS, 0.0, 0.5**halved)
        troubles = np.bincount(self._measured.failed_row, weights, len(self._measured.at))
        return 1.0 / (1.0 + troubles.astype(np.float64))

    def _until(self, now: float) -> float:
        """Just after the next step: what holds up to a moment holds at that moment too."""
        edges = (self._good_until, self._told_until, self._half_until)
        nexts = [float(later.min()) for edge in edges if len(later := edge[edge >= now])]
        return float(np.nextafter(min(nexts), np.inf)) if nexts else np.inf


def _known_or_half(values: Vector, fresh: Mask) -> Vector:
    return np.where(fresh & ~np.isnan(values), values, UNKNOWN)
