# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How few watts the VM would add: for its share of the host, and for waking a host on which nothing runs.

So hosts that are on are filled first, of those the efficient ones, and idle ones may sleep on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..grain import GRAINS
from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector

# What adds so many watts for each virtual CPU is worth half.
HALF_W: Final = 2.0


def values(ask: Ask, rows: Rows) -> Vector:
    fleet, power, wanted = ask.fleet, ask.board.power, ask.request.cpu_grains
    asleep = fleet.cpu_used[rows] + fleet.ram_used[rows] == 0
    added = power.each[rows] * wanted + asleep * power.idle[rows]
    usual = HALF_W * max(wanted, 1) / GRAINS
    share: Vector = usual / (usual + added)
    return share


SCORER = Scorer("energy", values)
