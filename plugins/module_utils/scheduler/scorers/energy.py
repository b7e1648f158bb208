# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How few watts the VM would add: for its share of the host, and for waking a host on which nothing runs.

So hosts that are on are filled first, of those the efficient ones, and idle ones may sleep on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..arrays import np
from ..grain import GRAINS
from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector

# What adds so many watts for each virtual CPU is worth half.
HALF_W: Final = 2.0


def values(ask: Ask, rows: Rows) -> Vector:
    awake, asleep = ask.constant(_worth)
    fleet = ask.fleet
    idle = fleet.cpu_used[rows] + fleet.ram_used[rows] == 0
    return np.where(idle, asleep[rows], awake[rows])


def _worth(ask: Ask) -> tuple[Vector, Vector]:
    """What each host is worth when it is on already, and when it would have to be woken."""
    power, wanted = ask.board.power, ask.request.cpu_grains
    usual = HALF_W * max(wanted, 1) / GRAINS
    added = power.each * wanted
    return usual / (usual + added), usual / (usual + added + power.idle)


SCORER = Scorer("energy", values)
