# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How much of a fleet has to stay on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """What a consolidation leaves free.

    :param hosts: how many hosts stay on at least.
    :param headroom: the share of the virtual CPUs, and of the memory, of the hosts that stay on that is not promised.
    :param watts: what emptying a host has to save at least.
    :raises ValueError: for figures that make no sense.
    """

    hosts: int = 1
    headroom: float = 0.2
    watts: float = 1.0

    def __post_init__(self) -> None:
        if self.hosts < 0:
            raise ValueError(f"hosts is {self.hosts}; a number of hosts from 0 up is right")
        if not 0 <= self.headroom < 1:
            raise ValueError(f"headroom is {self.headroom!r}; a share from 0 to below 1 is right")
        if not 0 <= self.watts < float("inf"):
            raise ValueError(f"watts is {self.watts!r}; a finite number from 0 up is right")
