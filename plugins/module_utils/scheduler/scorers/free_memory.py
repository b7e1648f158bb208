# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The share of memory left once the VM is there: of huge pages, for one that wants those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import np
from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    board, request = ask.board, ask.request
    whole = np.maximum(ask.fleet.huge[rows], 1) if request.huge_pages else board.ram_whole[rows]
    share: Vector = (board.ram_left(request, rows) - request.ram_mib) / whole
    return share


SCORER = Scorer("free_memory", values)
