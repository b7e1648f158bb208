# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The share of virtual CPUs left once the VM is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    left = ask.board.cpu_free[rows] - ask.board.cpu_taken(ask.request, rows)
    share: Vector = left / ask.board.cpu_whole[rows]
    return share


SCORER = Scorer("free_cpu", values)
