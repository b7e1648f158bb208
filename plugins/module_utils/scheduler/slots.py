# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Slots: how many VMs of each shape that is asked for lately a host could still take.

A VM that is placed costs slots. The host on which it costs the fewest is the one whose room nobody else could have
used so well; choosing it keeps a fleet from being cut into pieces too small for what is to come.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

from .arrays import ALL, np
from .board import Board
from .mix import Mix, Shape
from .request import Request

if TYPE_CHECKING:
    from .arrays import Integers, Mask, Rows, Vector

# More of one shape than this on one host is room enough: a shape of no size must not count for all the others.
MOST: Final = 1 << 20
# How much more a slot counts when half as many are left: 2 to this power.
SCARCITY: Final = 1.5


class SlotBook:
    """For each host and shape of a mix, how many of that shape still fit there.

    ``version`` tells when a slot's weight is another.
    """

    def __init__(self, board: Board, mix: Mix) -> None:
        self._board, self._mix = board, mix
        self._seen = (-1, -1)
        self._shares: tuple[tuple[Shape, float], ...] = ()
        self._weights: tuple[float, ...] = ()
        self.version = 0

    def refresh(self) -> None:
        """Look again at what changed: hosts, or what is asked for."""
        fleet = self._board.fleet
        mix, version = self._seen
        if mix != self._mix.version:
            self._shares = self._mix.shares
            self._slots = np.empty((len(self._shares), len(fleet)), dtype=np.int64)
            rows: Rows | None = ALL
        elif version == fleet.version:
            return
        else:
            rows = fleet.changed_since(version)
        rows = ALL if rows is None else rows
        room = Room.of(self._board, rows)
        for index, (shape, _share) in enumerate(self._shares):
            self._slots[index, rows] = room.slots(shape)
        self._seen = (self._mix.version, fleet.version)
        self._weigh()

    def _weigh(self) -> None:
        """Weigh shapes by how often they are asked for, and by how scarce their slots have become.

        Without the second, the many slots of small shapes would count for more than the few of large ones, until a
        large one fits nowhere. What is left counts by powers of two, so that the weights are others only now and then.
        """
        left = [int(count) for count in self._slots.sum(axis=1)]
        raw = [
            share / (1 << count.bit_length()) ** SCARCITY if count else 0.0
            for (_shape, share), count in zip(self._shares, left, strict=True)
        ]
        total = sum(raw) or 1.0
        weights = tuple(one / total for one in raw)
        if weights != self._weights:
            self._weights = weights
            self.version += 1

    def lost(self, request: Request, rows: Rows) -> Vector:
        """Slots that each host would lose to a request, weighted.

        Of the sets of NUMA nodes on which it could lie, the one counts that costs the least.
        """
        room = Room.of(self._board, rows)
        losses = np.array([self._lost(room.less(request, nodes), rows) for nodes in room.choices(request)])
        least: Vector = losses.min(axis=0)
        return least

    def nodes(self, request: Request, row: int) -> tuple[int, ...]:
        """The NUMA nodes of a host on which a request that fits there should lie; none for one that does not care.

        Those on which it costs the fewest slots, then those that it fills the most, then the first.
        """
        if not request.numa:
            return ()
        rows = np.array([row])
        room = Room.of(self._board, rows)
        fitting = [nodes for nodes in room.choices(request) if room.takes(request, nodes)[0]]
        costs = [self._lost(room.less(request, nodes), rows)[0] for nodes in fitting]
        left = [sum(float(room.node_cpu[0, node]) for node in nodes) for nodes in fitting]
        return min(zip(costs, left, fitting, strict=True))[2]

    def _lost(self, room: Room, rows: Rows) -> Vector:
        total = np.zeros(len(room.cpu), dtype=np.float64)
        for index, (shape, _share) in enumerate(self._shares):
            if self._weights[index]:
                total += self._weights[index] * (self._slots[index, rows] - room.slots(shape))
        return total


class Room:
    """What is left on some hosts: virtual CPUs and MiB in all and by NUMA node."""

    def __init__(self, cpu: Vector, ram: Integers, node_cpu: Vector, node_ram: Integers) -> None:
        self.cpu, self.ram, self.node_cpu, self.node_ram = cpu, ram, node_cpu, node_ram

    @classmethod
    def of(cls, board: Board, rows: Rows) -> Room:
        return cls(board.cpu_free[rows], board.ram_free[rows], board.node_cpu_free[rows], board.node_ram_free[rows])

    def choices(self, request: Request) -> tuple[tuple[int, ...], ...]:
        """The sets of nodes on which a request could lie."""
        return _choices(request.numa, self.node_cpu.shape[1])

    def takes(self, request: Request, nodes: tuple[int, ...]) -> Mask:
        """Where those nodes have room for a request's parts."""
        cpu, ram = request.cpu / len(nodes), request.ram_mib // len(nodes)
        chosen = list(nodes)
        room: Mask = np.all((self.node_cpu[:, chosen] >= cpu) & (self.node_ram[:, chosen] >= ram), axis=1)
        return room

    def less(self, request: Request, nodes: tuple[int, ...]) -> Room:
        """What would be left. Where the nodes would not do, nothing would be."""
        cpu, ram = self.cpu - request.cpu, self.ram - request.ram_mib
        if not nodes:
            return Room(cpu, ram, self.node_cpu, self.node_ram)
        node_cpu, node_ram = self.node_cpu.copy(), self.node_ram.copy()
        for node in nodes:
            node_cpu[:, node] -= request.cpu / len(nodes)
            node_ram[:, node] -= request.ram_mib // len(nodes)
        impossible = ~self.takes(request, nodes)
        cpu[impossible] = 0
        return Room(cpu, ram, node_cpu, node_ram)

    def slots(self, shape: Shape) -> Integers:
        """How many VMs of a shape fit on each host."""
        cpu, ram_mib, numa = shape
        whole = _times(self.cpu, self.ram, cpu, ram_mib)
        if not numa or not self.node_cpu.shape[1]:
            return whole
        if numa > self.node_cpu.shape[1]:
            return np.zeros_like(whole)
        return np.minimum(whole, _spread(_times(self.node_cpu, self.node_ram, cpu / numa, ram_mib // numa), numa))


def _times(cpu: Vector, ram: Integers, each_cpu: float, each_ram: int) -> Integers:
    """How often a part fits."""
    times = np.full(cpu.shape, MOST, dtype=np.int64)
    if each_cpu > 0:
        times = np.minimum(times, np.floor(cpu / each_cpu).astype(np.int64))
    if each_ram > 0:
        times = np.minimum(times, ram // each_ram)
    return np.maximum(times, 0)


def _spread(parts: Integers, numa: int) -> Integers:
    """How many VMs of ``numa`` parts fit, each part on another node, where a node takes that many parts.

    For any number of nodes left out, the rest must bear what is left of each VM: the tightest of these bounds is met.
    """
    if numa == 1:
        total: Integers = parts.sum(axis=1)
        return total
    ordered = np.cumsum(np.sort(parts, axis=1), axis=1)
    nodes = parts.shape[1]
    bounds = np.array([ordered[:, nodes - 1 - out] // (numa - out) for out in range(numa)])
    tightest: Integers = bounds.min(axis=0)
    return tightest


def _choices(numa: int, nodes: int) -> tuple[tuple[int, ...], ...]:
    return tuple(combinations(range(nodes), numa)) if 0 < numa <= nodes else ((),)
