# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How lately the host was measured: 1 while that is fresh, half up to twice that age, 0 for one never measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    return ask.board.ageing.at(ask.now).staleness[rows]


SCORER = Scorer("staleness", values, standing=True)
