# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A fleet by a policy's figures: how much each host may promise, and how much of it is left."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from .absorption import Absorption
from .ageing import Ageing
from .arrays import ALL, np
from .fleet import Fleet
from .grain import GRAINS
from .limit_columns import LimitColumns
from .limits import Limits
from .power_columns import PowerColumns

if TYPE_CHECKING:
    from .arrays import Rows


class Board:
    """Columns derived from a fleet's, brought up to date by :meth:`refresh`. Virtual CPUs are counted in grains."""

    def __init__(self, fleet: Fleet, limits: Limits) -> None:
        self.fleet, self.limits = fleet, limits
        self.figures = figures = LimitColumns.of(fleet, limits)
        self.overcommit = np.where(np.isnan(fleet.overcommit), figures.cpu_overcommit, fleet.overcommit)
        reserved = np.where(np.isnan(fleet.ram_reserved), figures.ram_reserved_mib, fleet.ram_reserved)
        self.ram_reserved = reserved.astype(np.int64)
        # Whole CPUs of a host, told apart in grains: 100 threads x 1.15 are 115, whatever floating point makes of it.
        self.cpu_limit = np.rint(fleet.cpu * self.overcommit * GRAINS) // GRAINS * GRAINS
        self.ram_limit = np.maximum(fleet.ram - self.ram_reserved, 0)
        self.node_cpu_limit = np.rint(fleet.node_cpu * self.overcommit[:, None] * GRAINS)
        self.cpu_free = np.empty_like(self.cpu_limit)
        self.ram_free = np.empty_like(self.ram_limit)
        self.disk_free = np.empty_like(fleet.disk)
        self.node_cpu_free = np.empty_like(self.node_cpu_limit)
        self.node_ram_free = np.empty_like(fleet.node_ram)
        self._compute(ALL)
        self._seen = fleet.version

    @cached_property
    def limits_creates(self) -> bool:
        """Whether any host may create no more than some number of VMs at once."""
        return bool(np.isfinite(self.figures.creates_at_once).any())

    @cached_property
    def ageing(self) -> Ageing:
        """What was measured, and what it is worth as time passes."""
        return Ageing(self.fleet.measured, self.figures)

    @cached_property
    def absorption(self) -> Absorption:
        """Whether the VMs of any one host could go to the others."""
        return Absorption(self)

    @cached_property
    def power(self) -> PowerColumns:
        return PowerColumns(self.fleet.hosts, self.cpu_limit)

    def refresh(self) -> None:
        """Look again at what changed."""
        if self._seen == self.fleet.version:
            return
        self._compute(self.fleet.changed_since(self._seen))
        self._seen = self.fleet.version

    def fill(self) -> float:
        """The share of virtual CPUs or of memory that is promised, whichever is larger, over hosts that take VMs."""
        there = self.fleet.placeable
        shares = (
            (float(limit[there].sum()), float(free[there].sum()))
            for limit, free in ((self.cpu_limit, self.cpu_free), (self.ram_limit, self.ram_free))
        )
        return max(((limit - free) / limit if limit else 1.0) for limit, free in shares)

    def _compute(self, rows: Rows) -> None:
        fleet = self.fleet
        self.cpu_free[rows] = self.cpu_limit[rows] - fleet.cpu_used[rows]
        self.ram_free[rows] = self.ram_limit[rows] - fleet.ram_used[rows]
        self.disk_free[rows] = fleet.disk[rows] - fleet.disk_used[rows]
        if fleet.node_cpu.shape[1]:
            self.node_cpu_free[rows] = self.node_cpu_limit[rows] - fleet.node_cpu_used[rows]
            self.node_ram_free[rows] = fleet.node_ram[rows] - fleet.node_ram_used[rows]
