# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How far a rebalance goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_LARGEST: Final = float("inf")


@dataclass(frozen=True)
class Aim:
    """When a move is worth while.

    One VM weighs less in the score of a large fleet than in that of a small one. So gains are counted times the number
    of hosts: about by how many hosts' worth of one metric the fleet becomes more even.

    :param min_gain: what a move has to gain beyond its cost, times the number of hosts.
    :param move_cost: what a move costs for as much memory as the fleet's hosts have on average; smaller VMs cost less.
    :param at_most: moves at most; None for as many as it takes.
    :param until: the score at which the fleet is even enough.
    :raises ValueError: for a figure below 0.
    """

    min_gain: float = 0.01
    move_cost: float = 0.1
    at_most: int | None = None
    until: float = 0.0

    def __post_init__(self) -> None:
        for name in ("min_gain", "move_cost", "until"):
            if not 0 <= getattr(self, name) < _LARGEST:
                raise ValueError(f"{name} is {getattr(self, name)!r}; a finite number from 0 up is right")
        if self.at_most is not None and self.at_most < 0:
            raise ValueError(f"at_most is {self.at_most}; a number of moves from 0 up is right")
