# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Slots: how many VMs of each shape that is asked for lately a host could still take.

A VM that is placed costs slots. The host on which it costs the fewest is the one whose room nobody else could have
used so well; choosing it keeps a fleet from being cut into pieces too small for what is to come.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import combinations
from typing import TYPE_CHECKING, Final

from .arrays import np
from .board import Board
from .mix import Mix
from .request import Request, Shape

if TYPE_CHECKING:
    from .arrays import Integers, Mask, Rows, Vector

# More of one shape than this on one host is room enough: a shape of no size must not count for all the others.
MOST: Final = 1 << 20
# How much more a slot counts when half as many are left: 2 to this power.
SCARCITY: Final = 1.5
# Shapes of requests whose losses are kept.
_KEPT: Final = 48


class SlotBook:
    """For each host and shape of a mix, how many of that shape still fit there.

    ``version`` tells when a slot's weight is another.
    """

    def __init__(self, board: Board, mix: Mix) -> None:
        self._board, self._mix = board, mix
        self._seen, self._mixed = -1, -1
        self._shapes = Shapes(())
        self._shares: tuple[float, ...] = ()
        self._weights: Vector = np.empty(0)
        self._left: Integers = np.zeros(0, dtype=np.int64)
        self._losses: OrderedDict[tuple[Shape, bool, bool], Losses] = OrderedDict()
        self.version = 0

    def refresh(self) -> None:
        """Look again at what changed: hosts, or what is asked for."""
        fleet = self._board.fleet
        if self._mixed != self._mix.version:
            self._read_mix()
        if self._seen == fleet.version:
            return
        rows = fleet.changed_since(self._seen)
        before = self.slots[rows].sum(axis=0) if self._seen >= 0 else 0
        self.slots[rows] = Room.of(self._board, rows).slots(self._shapes)
        self._left = self._left + self.slots[rows].sum(axis=0) - before
        self._seen = fleet.version
        self._weigh()

    def lost(self, request: Request, rows: Rows) -> Vector:
        """Slots that each host would lose to a request, weighted.

        Of the sets of NUMA nodes on which it could lie, the one counts that costs the least.
        """
        least: Vector = np.array([_weighed(one, self._weights) for one in self._loss(request).of(rows)]).min(axis=0)
        return least

    def nodes(self, request: Request, row: int) -> tuple[int, ...]:
        """The NUMA nodes of a host on which a request that fits there should lie; none for one that does not care.

        Those on which it costs the fewest slots, then those that it fills the most, then the first.

        :raises ValueError: when it does not fit.
        """
        if not request.numa:
            return ()
        rows = np.array([row])
        room = Room.of(self._board, rows)
        losses = self._loss(request)
        costs = [_weighed(one, self._weights)[0] for one in losses.of(rows)]
        left = [sum(float(room.node_cpu[0, node]) for node in nodes) for nodes in losses.choices]
        taking = self._board.nodes_take(request, request.numa, rows)[0]
        fits = [bool(nodes) and bool(taking[list(nodes)].all()) for nodes in losses.choices]
        ranked = zip(costs, left, losses.choices, fits, strict=True)
        fitting = [(cost, rest, nodes) for cost, rest, nodes, fit in ranked if fit]
        if not fitting:
            host = self._board.fleet.hosts[row].id
            raise ValueError(f"{host} has no {request.numa} NUMA nodes with room for the VM; place it first")
        return min(fitting)[2]

    def _read_mix(self) -> None:
        shapes = tuple(shape for shape, _share in self._mix.shares)
        self._shares = tuple(share for _shape, share in self._mix.shares)
        if shapes != self._shapes.shapes:
            self._shapes = Shapes(shapes)
            self.slots: Integers = np.zeros((len(self._board.fleet), len(shapes)), dtype=np.int32)
            self._left = np.zeros(len(shapes), dtype=np.int64)
            self._losses.clear()
            self._seen = -1
            # Other shapes may happen to weigh the same.
            self.version += 1
        else:
            self._weigh()
        self._mixed = self._mix.version

    def _weigh(self) -> None:
        """Weigh shapes by how often they are asked for, and by how scarce their slots have become.

        Without the second, the many slots of small shapes would count for more than the few of large ones, until a
        large one fits nowhere. What is left counts by powers of two, so that the weights are others only now and then.
        """
        raw = [
            share / (1 << count.bit_length()) ** SCARCITY if count else 0.0
            for share, count in zip(self._shares, self._left.tolist(), strict=True)
        ]
        total = sum(raw) or 1.0
        weights = np.array([one / total for one in raw])
        if not np.array_equal(weights, self._weights):
            self._weights = weights
            self.version += 1

    def _loss(self, request: Request) -> Losses:
        key = request.shape, request.pinned, request.huge_pages
        losses = self._losses.get(key)
        if losses is None:
            losses = self._losses[key] = Losses(self._board, self.slots, self._shapes, request)
            if len(self._losses) > _KEPT:
                self._losses.popitem(last=False)
        else:
            self._losses.move_to_end(key)
        losses.refresh()
        return losses


class Losses:
    """What one shape of request would cost on each host: slots of each shape, for each choice of NUMA nodes."""

    def __init__(self, board: Board, slots: Integers, shapes: Shapes, request: Request) -> None:
        self._board, self._slots, self._shapes, self._request = board, slots, shapes, request
        self.choices = _choices(request.numa, board.node_cpu_free.shape[1])
        self._lost: list[Integers] = [np.empty_like(slots) for _choice in self.choices]
        self._seen = -1

    def of(self, rows: Rows) -> list[Integers]:
        """For each choice, hosts by shapes."""
        return [lost[rows] for lost in self._lost]

    def refresh(self) -> None:
        """Look again at what changed."""
        fleet = self._board.fleet
        if self._seen == fleet.version:
            return
        rows = fleet.changed_since(self._seen)
        taking = Taking.of(self._board, self._request, rows)
        for lost, nodes in zip(self._lost, self.choices, strict=True):
            lost[rows] = self._slots[rows] - taking.left(nodes).slots(self._shapes)
        self._seen = fleet.version


class Shapes:
    """Shapes as columns, so that the slots of all are counted at once."""

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        self.shapes = shapes
        requests = [Request(cpu, ram, numa=numa) for cpu, ram, numa in shapes]
        parts = [request.on_each(max(1, request.numa)) for request in requests]
        self.cpu: Vector = _sizes([request.cpu_grains for request in requests])
        self.ram: Vector = _sizes([request.ram_mib for request in requests])
        self.part_cpu: Vector = _sizes([cpu for cpu, _ram in parts])
        self.part_ram: Vector = _sizes([ram for _cpu, ram in parts])
        self.by_numa: dict[int, list[int]] = {}
        for index, (_cpu, _ram, numa) in enumerate(shapes):
            self.by_numa.setdefault(numa, []).append(index)


class Room:
    """What is left on some hosts: grains of virtual CPUs and MiB, in all and by NUMA node.

    ``told`` are those of whose nodes anything is known.
    """

    def __init__(self, cpu: Vector, ram: Integers, node_cpu: Vector, node_ram: Integers, told: Mask) -> None:
        self.cpu, self.ram, self.node_cpu, self.node_ram, self.told = cpu, ram, node_cpu, node_ram, told

    @classmethod
    def of(cls, board: Board, rows: Rows) -> Room:
        return cls(
            board.cpu_free[rows],
            board.ram_free[rows],
            board.node_cpu_free[rows],
            board.node_ram_free[rows],
            board.fleet.numa_told[rows],
        )

    def slots(self, shapes: Shapes) -> Integers:
        """How many VMs fit: hosts by shapes. On a host that tells of no nodes, as if none cared."""
        slots = _times(self.cpu, self.ram, shapes.cpu, shapes.ram)
        nodes = self.node_cpu.shape[1]
        for numa, columns in shapes.by_numa.items():
            if not numa or not nodes:
                continue
            whole = slots[:, columns]
            parts = _times(self.node_cpu, self.node_ram, shapes.part_cpu[columns], shapes.part_ram[columns])
            spread = _spread(parts, numa) if numa <= nodes else np.zeros_like(whole)
            slots[:, columns] = np.where(self.told[:, None], np.minimum(whole, spread), whole)
        return slots


class Taking:
    """A request that takes its part of some hosts' room."""

    def __init__(self, board: Board, request: Request, rows: Rows, room: Room) -> None:
        self._board, self._request, self._rows, self._room = board, request, rows, room
        self._cpu = room.cpu - board.cpu_taken(request, rows)
        self._ram = room.ram if request.huge_pages else room.ram - request.ram_mib
        # Which nodes would do, with what is taken of each.
        self._nodes: Mask | None = None

    @classmethod
    def of(cls, board: Board, request: Request, rows: Rows) -> Taking:
        return cls(board, request, rows, Room.of(board, rows))

    def left(self, nodes: tuple[int, ...]) -> Room:
        """What would be left if it lay on some NUMA nodes. Where those would not do, nothing would be."""
        room, request = self._room, self._request
        if not nodes:
            return Room(self._cpu, self._ram, room.node_cpu, room.node_ram, room.told)
        if self._nodes is None:
            self._nodes = self._board.nodes_take(request, len(nodes), self._rows)
        node_cpu, node_ram = room.node_cpu.copy(), room.node_ram.copy()
        part_cpu, part_ram = self._board.part_taken(request, len(nodes), self._rows)
        for node in nodes:
            node_cpu[:, node] -= part_cpu
            node_ram[:, node] -= part_ram
        cpu = self._cpu.copy()
        cpu[~self._nodes[:, list(nodes)].all(axis=1)] = 0
        return Room(cpu, self._ram, node_cpu, node_ram, room.told)


def _sizes(values: list[float]) -> Vector:
    # Nothing fits without end: MOST times of what has no size.
    return np.maximum(np.array(values, dtype=np.float64), 1e-9)


def _times(cpu: Vector, ram: Integers, each_cpu: Vector, each_ram: Vector) -> Integers:
    """How often each part fits: shapes come as one more, last dimension."""
    times = np.minimum(cpu[..., None] / each_cpu, ram[..., None] / each_ram)
    return np.minimum(np.maximum(times, 0), MOST).astype(np.int32)


def _spread(parts: Integers, numa: int) -> Integers:
    """How many VMs of ``numa`` parts fit, each part on another node, where a node takes that many parts.

    For any number of nodes left out, the rest must bear what is left of each VM: the tightest of these bounds is met.
    """
    if numa == 1:
        total: Integers = parts.sum(axis=1)
        return total
    if numa == parts.shape[1]:
        least: Integers = parts.min(axis=1)
        return least
    ordered = np.cumsum(np.sort(parts, axis=1), axis=1)
    nodes = parts.shape[1]
    bounds = np.array([ordered[:, nodes - 1 - out] // (numa - out) for out in range(numa)])
    tightest: Integers = bounds.min(axis=0)
    return tightest


def _weighed(lost: Integers, weights: Vector) -> Vector:
    # Summed row by row, so that a host's figure is the same in whatever company it is computed.
    total: Vector = (lost * weights).sum(axis=1)
    return total


def _choices(numa: int, nodes: int) -> tuple[tuple[int, ...], ...]:
    """The sets of nodes on which a request could lie."""
    return tuple(combinations(range(nodes), numa)) if 0 < numa <= nodes else ((),)
