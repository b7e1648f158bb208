# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A fleet by a policy's figures: how much each host may promise, and how much of it is left."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from .absorption import Absorption
from .ageing import Ageing
from .arrays import ALL, FEW, np
from .fleet import NODES, Fleet
from .grain import GRAINS
from .limit_columns import LimitColumns
from .limits import Limits
from .power_columns import PowerColumns
from .request import Request

if TYPE_CHECKING:
    from .arrays import Integers, Mask, Rows, Vector


class Board:
    """Columns derived from a fleet's, brought up to date by :meth:`refresh`. Virtual CPUs are counted in grains.

    ``cpu_free`` and ``ram_free`` are what is left for VMs that share threads and want no huge pages. A virtual CPU that
    has a thread for itself takes with it all that the thread could have promised. Huge pages are room of their own:
    whoever wants them takes nothing of the rest, and nobody else takes them.
    """

    def __init__(self, fleet: Fleet, limits: Limits) -> None:
        self.fleet, self.limits = fleet, limits
        self.figures = figures = LimitColumns.of(fleet, limits)
        self.overcommit = np.where(np.isnan(fleet.overcommit), figures.cpu_overcommit, fleet.overcommit)
        reserved = np.where(np.isnan(fleet.ram_reserved), figures.ram_reserved_mib, fleet.ram_reserved)
        self.ram_reserved = reserved.astype(np.int64)
        # Whole CPUs of a host, told apart in grains: 100 threads x 1.15 are 115, whatever floating point makes of it.
        self.cpu_limit = np.rint(fleet.cpu * self.overcommit * GRAINS) // GRAINS * GRAINS
        self.ram_limit = np.maximum(fleet.ram - self.ram_reserved - fleet.huge, 0)
        # A node that a host has not holds -1 MiB of huge pages too.
        self.node_huge_limit = np.where(fleet.node_ram < 0, -1, fleet.node_huge)
        self.node_cpu_limit = np.rint(fleet.node_cpu * self.overcommit[:, None] * GRAINS)
        # Columns as the fleet's ``used`` has them: what may be promised, and what is left of it.
        self.limit = np.empty_like(fleet.used)
        self.free = np.empty_like(fleet.used)
        nodes = fleet.nodes
        self.limit[:, 0], self.limit[:, 1], self.limit[:, 2] = self.cpu_limit, self.ram_limit, fleet.disk
        self.limit[:, NODES : NODES + nodes], self.limit[:, NODES + nodes :] = self.node_cpu_limit, fleet.node_ram
        self.cpu_free, self.ram_free, self.disk_free = self.free[:, 0], self.free[:, 1], self.free[:, 2]
        self.node_cpu_free, self.node_ram_free = self.free[:, NODES : NODES + nodes], self.free[:, NODES + nodes :]
        self._compute(ALL)
        self._seen = fleet.version

    @cached_property
    def limits_creates(self) -> bool:
        """Whether any host may create no more than some number of VMs at once."""
        return bool(np.isfinite(self.figures.creates_at_once).any())

    @cached_property
    def cpu_whole(self) -> Vector:
        """``cpu_limit`` to divide by."""
        whole: Vector = np.maximum(self.cpu_limit, GRAINS)
        return whole

    @cached_property
    def ram_whole(self) -> Vector:
        """``ram_limit`` to divide by."""
        whole: Vector = np.maximum(self.ram_limit, 1).astype(np.float64)
        return whole

    @cached_property
    def all_told(self) -> bool:
        """Whether something is known of every host's NUMA nodes."""
        return bool(self.fleet.numa_told.all())

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
        self._compute(self.fleet.changed_since(self._seen) if len(self.fleet) > FEW else ALL)
        self._seen = self.fleet.version

    def fill(self) -> float:
        """The share of virtual CPUs or of memory that is promised, whichever is larger, over hosts that take VMs."""
        there = self.fleet.placeable
        shares = (
            (float(limit[there].sum()), float(free[there].sum()))
            for limit, free in ((self.cpu_limit, self.cpu_free), (self.ram_limit, self.ram_free))
        )
        return max(((limit - free) / limit if limit else 1.0) for limit, free in shares)

    def cpu_taken(self, request: Request, rows: Rows) -> float | Vector:
        """What a request would take of ``cpu_free``."""
        if not request.pinned:
            return request.cpu_grains
        pinned = self.fleet.pinned_used[rows]
        return self._cpu_beside(pinned, rows) - self._cpu_beside(pinned + request.cpu_grains, rows)

    def threads_free(self, rows: Rows) -> Vector:
        """How many threads of some hosts VMs could still have for themselves."""
        overcommit, pinned = self.overcommit[rows], self.fleet.pinned_used[rows]
        shared = self.fleet.cpu_used[rows] - pinned
        unshared = self.fleet.cpu[rows] - (shared / overcommit + pinned) / GRAINS
        free: Vector = np.maximum(0.0, np.where(overcommit < 1, self.cpu_free[rows] / GRAINS, unshared))
        return free

    def ram_left(self, request: Request, rows: Rows) -> Integers | Vector:
        """MiB of the kind that a request wants."""
        if request.huge_pages:
            return self.fleet.huge[rows] - self.fleet.huge_used[rows]
        return self.ram_free[rows]

    def nodes_take(self, request: Request, nodes: int, rows: Rows) -> Mask:
        """Which NUMA nodes have room for one of so many equal parts of a request: hosts by nodes."""
        cpu, _ram = self.part_taken(request, nodes, rows)
        _cpu, ram = request.on_each(nodes)
        wanted = cpu[:, None] if request.pinned else cpu
        room: Mask = (self.node_cpu_free[rows] >= wanted) & (self.nodes_left(request, rows) >= ram)
        return room

    def nodes_left(self, request: Request, rows: Rows) -> Integers | Vector:
        """MiB of the kind that a request wants, by NUMA node; -1 where there is no such node."""
        if request.huge_pages:
            return self.node_huge_limit[rows] - self.fleet.node_huge_used[rows]
        return self.node_ram_free[rows]

    def part_taken(self, request: Request, nodes: int, rows: Rows) -> tuple[Any, int]:
        """What one of so many equal parts of a request would take of ``node_cpu_free``, a number or one for each host,
        and of ``node_ram_free``."""
        cpu, ram = request.on_each(nodes)
        return (np.rint(cpu * self._thread[rows]) if request.pinned else cpu), (0 if request.huge_pages else ram)

    @cached_property
    def _thread(self) -> Vector:
        """What a thread is worth: virtual CPUs that it could have promised, one at least."""
        return np.maximum(self.overcommit, 1.0)

    def _cpu_beside(self, pinned: Vector, rows: Rows) -> Vector:
        """What may be promised beside virtual CPUs that have threads of their own."""
        shared = np.rint((self.fleet.cpu[rows] * GRAINS - pinned) * self.overcommit[rows]) // GRAINS * GRAINS
        return np.where(self.overcommit[rows] >= 1, shared, self.cpu_limit[rows] - pinned)

    def _compute(self, rows: Rows) -> None:
        fleet = self.fleet
        if rows is ALL:
            np.subtract(self.limit, fleet.used, out=self.free)
        else:
            self.free[rows] = self.limit[rows] - fleet.used[rows]
        if fleet.pins:
            self._set_aside_threads(rows)
        if fleet.has_huge:
            self.ram_free[rows] += fleet.huge_used[rows]
            self.node_ram_free[rows] -= fleet.node_huge[rows] - fleet.node_huge_used[rows]

    def _set_aside_threads(self, rows: Rows) -> None:
        """What a virtual CPU that has a thread for itself takes with it."""
        fleet = self.fleet
        pinned = fleet.pinned_used[rows]
        self.cpu_free[rows] = self._cpu_beside(pinned, rows) - (fleet.cpu_used[rows] - pinned)
        more = self._thread[rows][:, None] - 1.0
        self.node_cpu_free[rows] -= np.rint(fleet.node_pinned_used[rows] * more)
