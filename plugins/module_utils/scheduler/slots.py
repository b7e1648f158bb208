# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Slots: how many VMs of each shape that is asked for lately a host could still take.

A VM that is placed costs slots. The host on which it costs the fewest is the one whose room nobody else could have
used so well; choosing it keeps a fleet from being cut into pieces too small for what is to come.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import reduce
from itertools import combinations
from typing import TYPE_CHECKING, Final

from .arrays import ALL, np
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
        # How many digits what is left of each shape has, as of the weights.
        self._bits: tuple[int, ...] = ()
        self._losses: OrderedDict[tuple[Shape, bool, bool], Losses] = OrderedDict()
        self.version = 0

    def refresh(self, request: Request | None = None) -> None:
        """Look again at what changed: hosts, or what is asked for.

        :param request: one that will be asked about next; it is cheaper to look at both at once.
        """
        if self._mixed != self._mix.version:
            self._read_mix()
        version = self._board.fleet.version
        losses = None if request is None else self._losses_of(request)
        asked = losses is not None and losses.seen != version
        if self._seen == version and not asked:
            return
        rooms: list[Room] = []
        if self._seen != version:
            rows = self._board.fleet.changed_since(self._seen)
            rooms.append(Room.of(self._board, rows))
        before = len(rooms)
        if losses is not None and asked:
            rooms += losses.rooms()
        counted = Room.joined(rooms).slots(self._shapes)
        if before:
            split = len(rooms[0].cpu)
            self._count(rows, counted[:split])
            counted = counted[split:]
        if losses is not None and asked:
            losses.learn(counted, self._weights)

    def lost(self, request: Request, rows: Rows) -> Vector:
        """Slots that each host would lose to a request, weighted.

        Of the sets of NUMA nodes on which it could lie, the one counts that costs the least.
        """
        self.refresh(request)
        least: Vector = self._losses_of(request).costs(self._weights)[rows]
        return least

    def nodes(self, request: Request, row: int) -> tuple[int, ...]:
        """The NUMA nodes of a host on which a request that fits there should lie; none for one that does not care.

        Those on which it costs the fewest slots, then those that it fills the most, then the first.

        :raises ValueError: when it does not fit.
        """
        if not request.numa:
            return ()
        rows = np.array([row])
        self.refresh(request)
        losses = self._losses_of(request)
        costs = [_weighed(one, self._weights)[0] for one in losses.of(rows)]
        free = self._board.node_cpu_free[row].tolist()
        left = [sum(free[node] for node in nodes) for nodes in losses.choices]
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
            self._bits = ()
            self._seen = -1
            # Other shapes may happen to weigh the same.
            self.version += 1
        else:
            self._bits = ()
            self._weigh()
        self._mixed = self._mix.version

    def _count(self, rows: Rows, counted: Integers) -> None:
        self._left = self._left + (counted - self.slots[rows]).sum(axis=0)
        self.slots[rows] = counted
        self._seen = self._board.fleet.version
        self._weigh()

    def _weigh(self) -> None:
        """Weigh shapes by how often they are asked for, and by how scarce their slots have become.

        Without the second, the many slots of small shapes would count for more than the few of large ones, until a
        large one fits nowhere. What is left counts by powers of two, so that the weights are others only now and then.
        """
        bits = tuple([count.bit_length() for count in self._left.tolist()])
        if bits == self._bits:
            return
        self._bits = bits
        raw = [share / (1 << bit) ** SCARCITY if bit else 0.0 for share, bit in zip(self._shares, bits, strict=True)]
        total = sum(raw) or 1.0
        weights = np.array([one / total for one in raw])
        if not np.array_equal(weights, self._weights):
            self._weights = weights
            self.version += 1

    def _losses_of(self, request: Request) -> Losses:
        key = request.shape, request.pinned, request.huge_pages
        losses = self._losses.get(key)
        if losses is None:
            losses = self._losses[key] = Losses(self._board, self.slots, self._shapes, request)
            if len(self._losses) > _KEPT:
                self._losses.popitem(last=False)
        else:
            self._losses.move_to_end(key)
        return losses


class Losses:
    """What one shape of request would cost on each host: slots of each shape, for each choice of NUMA nodes.

    ``seen`` is the fleet's version of which it knows.
    """

    def __init__(self, board: Board, slots: Integers, shapes: Shapes, request: Request) -> None:
        self._board, self._slots, self._shapes, self._request = board, slots, shapes, request
        self.choices = _choices(request.numa, board.node_cpu_free.shape[1])
        self._lost: list[Integers] = [np.empty_like(slots) for _choice in self.choices]
        self._costs: Vector = np.empty(len(slots), dtype=np.float64)
        self._weights: Vector | None = None
        self._rows: Rows = ALL
        self.seen = -1

    def of(self, rows: Rows) -> list[Integers]:
        """For each choice, hosts by shapes."""
        return [lost[rows] for lost in self._lost]

    def rooms(self) -> list[Room]:
        """What would be left of the hosts that changed, for each choice."""
        self._rows = self._board.fleet.changed_since(self.seen)
        taking = Taking.of(self._board, self._request, self._rows)
        return [taking.left(nodes) for nodes in self.choices]

    def learn(self, counted: Integers, weights: Vector) -> None:
        """How many slots there would be in those rooms, one below the other."""
        rows = self._rows
        had = self._slots[rows]
        for number, lost in enumerate(self._lost):
            lost[rows] = had - counted[number * len(had) : (number + 1) * len(had)]
        self.seen = self._board.fleet.version
        if self._weights is weights:
            self._costs[rows] = self._weigh(rows, weights)

    def costs(self, weights: Vector) -> Vector:
        """What each host would lose in all, on the nodes where that is the least. To be read alone."""
        if self._weights is not weights:
            self._costs[:] = self._weigh(ALL, weights)
            self._weights = weights
        return self._costs

    def _weigh(self, rows: Rows, weights: Vector) -> Vector:
        first, *others = [_weighed(lost[rows], weights) for lost in self._lost]
        return reduce(np.minimum, others, first)


class Shapes:
    """Shapes as columns, so that the slots of all are counted at once.

    ``groups`` has for each number of NUMA nodes the columns of its shapes.
    """

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        self.shapes = shapes
        requests = [Request(cpu, ram, numa=numa) for cpu, ram, numa in shapes]
        parts = [request.on_each(max(1, request.numa)) for request in requests]
        self._cpu: Vector = _sizes([request.cpu_grains for request in requests])
        self._ram: Vector = _sizes([request.ram_mib for request in requests])
        self._part_cpu: Vector = _sizes([cpu for cpu, _ram in parts])
        self._part_ram: Vector = _sizes([ram for _cpu, ram in parts])
        self._sizes: dict[int, tuple[Vector, Vector]] = {}
        columns: dict[int, list[int]] = {}
        for index, (_cpu, _ram, numa) in enumerate(shapes):
            if numa:
                columns.setdefault(numa, []).append(index)
        self.groups: list[tuple[int, Rows]] = [(numa, _block(found)) for numa, found in columns.items()]

    def sizes(self, nodes: int) -> tuple[Vector, Vector]:
        """What each shape takes, of a host and then of each of so many nodes."""
        sizes = self._sizes.get(nodes)
        if sizes is None:
            cpu, ram = [self._cpu, *[self._part_cpu] * nodes], [self._ram, *[self._part_ram] * nodes]
            sizes = self._sizes[nodes] = np.array(cpu), np.array(ram)
        return sizes


class Room:
    """What is left on some hosts: grains of virtual CPUs and MiB, of each in all and then of each of its NUMA nodes.

    ``told`` are those of whose nodes anything is known; None for all.
    """

    __slots__ = ("cpu", "ram", "told")

    def __init__(self, cpu: Vector, ram: Integers, told: Mask | None) -> None:
        self.cpu, self.ram, self.told = cpu, ram, told

    @classmethod
    def of(cls, board: Board, rows: Rows) -> Room:
        told = None if board.all_told else board.fleet.numa_told[rows]
        return cls(board.room_cpu[rows], board.room_ram[rows], told)

    @classmethod
    def joined(cls, rooms: list[Room]) -> Room:
        """Some rooms of one board, one below the other."""
        if len(rooms) == 1:
            return rooms[0]
        told = [room.told for room in rooms if room.told is not None]
        return cls(
            np.concatenate([room.cpu for room in rooms]),
            np.concatenate([room.ram for room in rooms]),
            np.concatenate(told) if told else None,
        )

    def slots(self, shapes: Shapes) -> Integers:
        """How many VMs fit: hosts by shapes. On a host that tells of no nodes, as if none cared."""
        nodes = self.cpu.shape[1] - 1
        times = _times(self.cpu, self.ram, *shapes.sizes(nodes))
        slots: Integers = times[:, 0]
        if not nodes:
            return slots
        for numa, columns in shapes.groups:
            whole = slots[:, columns]
            spread = _spread(times[:, 1:, columns], numa) if numa <= nodes else np.zeros_like(whole)
            tight = np.minimum(whole, spread)
            slots[:, columns] = tight if self.told is None else np.where(self.told[:, None], tight, whole)
        return slots


class Taking:
    """A request that takes its part of some hosts' room."""

    def __init__(self, board: Board, request: Request, rows: Rows, room: Room) -> None:
        self._board, self._request, self._rows, self._room = board, request, rows, room
        # Which nodes would do, with what is taken of each.
        self._nodes: Mask | None = None

    @classmethod
    def of(cls, board: Board, request: Request, rows: Rows) -> Taking:
        return cls(board, request, rows, Room.of(board, rows))

    def left(self, nodes: tuple[int, ...]) -> Room:
        """What would be left if it lay on some NUMA nodes. Where those would not do, nothing would be."""
        room, request = self._room, self._request
        cpu, ram = room.cpu.copy(), room.ram.copy()
        cpu[:, 0] -= self._board.cpu_taken(request, self._rows)
        if not request.huge_pages:
            ram[:, 0] -= request.ram_mib
        if not nodes:
            return Room(cpu, ram, room.told)
        if self._nodes is None:
            self._nodes = self._board.nodes_take(request, len(nodes), self._rows)
        part_cpu, part_ram = self._board.part_taken(request, len(nodes), self._rows)
        for node in nodes:
            cpu[:, 1 + node] -= part_cpu
            ram[:, 1 + node] -= part_ram
        cpu[~self._nodes[:, list(nodes)].all(axis=1), 0] = 0
        return Room(cpu, ram, room.told)


def _block(columns: list[int]) -> Rows:
    """Columns that stand together as a slice, which is quicker to read."""
    first, last = columns[0], columns[-1]
    return slice(first, last + 1) if last - first + 1 == len(columns) else np.array(columns, dtype=np.intp)


def _sizes(values: list[float]) -> Vector:
    # Nothing fits without end: MOST times of what has no size.
    return np.maximum(np.array(values, dtype=np.float64), 1e-9)


def _times(cpu: Vector, ram: Integers, each_cpu: Vector, each_ram: Vector) -> Integers:
    """How often each part fits: shapes come as one more, last dimension."""
    times = np.minimum(cpu[..., None] / each_cpu, ram[..., None] / each_ram)
    np.maximum(times, 0.0, out=times)
    np.minimum(times, MOST, out=times)
    return times.astype(np.int32)


def _spread(parts: Integers, numa: int) -> Integers:
    """How many VMs of ``numa`` parts fit, each part on another node, where a node takes that many parts.

    For any number of nodes left out, the rest must bear what is left of each VM: the tightest of these bounds is met.
    """
    nodes = parts.shape[1]
    if numa in (1, nodes):
        # Of few nodes, one by one is quicker than along an axis.
        together = np.add if numa == 1 else np.minimum
        total: Integers = reduce(together, [parts[:, node] for node in range(nodes)])
        return total
    ordered = np.cumsum(np.sort(parts, axis=1), axis=1)
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
