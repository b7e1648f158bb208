# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How little the host has failed lately. A failure makes it half, counts half as much after six hours, and no longer
after two days.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    return ask.board.ageing.at(ask.now).stability[rows]


SCORER = Scorer("stability", values, standing=True)
