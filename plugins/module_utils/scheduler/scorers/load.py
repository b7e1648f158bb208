# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How idle the host was when it was last measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..arrays import np
from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector

# A host of which nothing is known is liked less than an idle one and more than a busy one.
UNKNOWN: Final = 0.5


def values(ask: Ask, rows: Rows) -> Vector:
    # What was never measured is NaN, and no comparison with it holds.
    fresh = ask.now <= ask.board.load_until[rows]
    idle = 1.0 - ask.fleet.load[rows]
    return np.where(fresh & ~np.isnan(idle), idle, UNKNOWN)


SCORER = Scorer("load", values)
