# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""No new VMs where measurements have stopped: the host may be overloaded, or not what it was.

One that was never measured is not refused: nothing has stopped there, and a fleet without measurements can be used. Off
unless the policy says how old is too old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.board.ageing.at(ask.now).told_lately[rows]


def reason(ask: Ask, row: int) -> Reason:
    age, limit = ask.now - float(ask.fleet.load_at[row]), ask.board.limits.metrics_fresh_seconds
    return Reason(
        "metrics",
        f"last measured {age:.0f} s ago, {limit:g} s at most",
        {"age_seconds": round(age, 3), "limit_seconds": limit},
    )


FILTER = Filter("metrics", passes, reason, standing=True)
