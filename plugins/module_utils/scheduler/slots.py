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
from typing import TYPE_CHECKING, Final, TypeVar

from .arrays import ALL, np
from .board import Board
from .fleet import NODES, WHOLE
from .mix import Mix
from .request import Request, Shape

if TYPE_CHECKING:
    import numpy.typing as npt

    from .arrays import Mask, Rows, Vector

    Scalar = TypeVar("Scalar", bound=np.generic)

# More of one shape than this on one host is room enough: a shape of no size must not count for all the others.
MOST: Final = 1 << 20
# How much more a slot counts when half as many are left: 2 to this power.
SCARCITY: Final = 1.5
# Takings that are kept up to date: kinds of requests, each by every choice of NUMA nodes.
_KEPT: Final = 48
# Numbers that are counted with at once.
_COUNTED_AT_ONCE: Final = 1 << 20
# Binary digits of a floating-point number behind its exponent, and the exponent of what has no digit before the point.
_MANTISSA: Final = 52
_EXPONENT_OF_NONE: Final = 1022


class SlotBook:
    """For each host and shape of a mix, how many of that shape still fit there, and how many requests would cost.

    All of it is kept up to date at once: a host that changed is counted for all that may be asked in about as many
    operations as for one of them.

    ``slots`` are hosts by shapes; ``version`` tells when a slot's weight is another.
    """

    def __init__(self, board: Board, mix: Mix) -> None:
        self._board, self._mix = board, mix
        self._seen, self._mixed = -1, -1
        self._shares: Vector = np.empty(0)
        self._weights: Vector = np.empty(0)
        # How many binary digits what is left of each shape has, as of the weights.
        self._exponents = b""
        self._kinds: OrderedDict[tuple[Shape, bool, bool], Losses] = OrderedDict()
        self.version = 0
        self._begin(Shapes(()))

    def _begin(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self.slots: Vector = np.zeros((len(self._board.fleet), len(shapes.shapes)))
        self._left: Vector = np.zeros(len(shapes.shapes))
        # Whatever lies on no NUMA nodes leaves as much on them as there was: that is counted once for all.
        self._tables = {lies: LossTable(self._board, self.slots.shape) for lies in (False, True)}
        self._kinds.clear()
        self._seen = -1

    def refresh(self) -> None:
        """Look again at what changed: hosts, or what is asked for."""
        if self._mixed != self._mix.version:
            self._read_mix()
        version = self._board.fleet.version
        if self._seen != version:
            for rows in self._portions(self._board.fleet.changed_since(self._seen)):
                self._count(rows)
            self._seen = version
            self._weigh()

    def lost(self, request: Request, rows: Rows) -> Vector:
        """Slots that each host would lose to a request, weighted.

        Of the sets of NUMA nodes on which it could lie, the one counts that costs the least.
        """
        self.refresh()
        costs = self._losses_of(request).costs(self._weights)
        least: Vector = costs[0][rows] if len(costs) == 1 else reduce(np.minimum, costs)[rows]
        return least

    def nodes(self, request: Request, row: int) -> tuple[int, ...]:
        """The NUMA nodes of a host on which a request that fits there should lie; none for one that does not care.

        Those on which it costs the fewest slots, then those that it fills the most, then the first.

        :raises ValueError: when it does not fit.
        """
        if not request.numa:
            return ()
        self.refresh()
        losses = self._losses_of(request)
        free = self._board.node_cpu_free[row].tolist()
        takes = self._board.nodes_take(request, request.numa, np.array([row]))[0].tolist()
        fitting = [
            (costs[row].item(), sum(free[node] for node in taking.nodes), taking.nodes)
            for taking, costs in zip(losses.takings, losses.costs(self._weights), strict=True)
            if taking.nodes and all(takes[node] for node in taking.nodes)
        ]
        if not fitting:
            host = self._board.fleet.hosts[row].id
            raise ValueError(f"{host} has no {request.numa} NUMA nodes with room for the VM; place it first")
        return min(fitting)[2]

    def _read_mix(self) -> None:
        shapes = tuple(shape for shape, _share in self._mix.shares)
        self._shares = np.array([share for _shape, share in self._mix.shares], dtype=np.float64)
        self._exponents = b""
        if shapes != self._shapes.shapes:
            self._begin(Shapes(shapes))
            # Other shapes may happen to weigh the same.
            self.version += 1
        else:
            self._weigh()
        self._mixed = self._mix.version

    def _count(self, rows: Rows) -> None:
        """Count some hosts anew."""
        room = Room.of(self._board, rows)
        plain, lying = self._tables[False], self._tables[True]
        counted = plain.left(room, rows, untouched=True).slots(self._shapes)
        now = counted[:, 0]
        self._left += np.add.reduce(now - self.slots[rows], axis=0)
        self.slots[rows] = now
        if plain.takings:
            plain.learn(rows, now[:, None] - counted[:, 1:], self._weights)
        if lying.takings:
            lying.learn(rows, now[:, None] - lying.left(room, rows).slots(self._shapes), self._weights)

    def _weigh(self) -> None:
        """Weigh shapes by how often they are asked for, and by how scarce their slots have become.

        Without the second, the many slots of small shapes would count for more than the few of large ones, until a
        large one fits nowhere. What is left counts by powers of two, so that the weights are others only now and then.
        """
        # The exponents of floating point: another whenever a number has another count of binary digits.
        exponents = self._left.view(np.int64) >> _MANTISSA
        told = exponents.tobytes()
        if told == self._exponents:
            return
        self._exponents = told
        digits = np.maximum(exponents - _EXPONENT_OF_NONE, 0)
        raw = np.where(digits > 0, self._shares * np.exp2(-SCARCITY * digits), 0.0)
        weights = raw / (float(raw.sum()) or 1.0)
        if not np.array_equal(weights, self._weights):
            self._weights = weights
            self.version += 1

    def _losses_of(self, request: Request) -> Losses:
        """To be asked when the book is up to date."""
        key = request.shape, request.pinned, request.huge_pages
        losses = self._kinds.get(key)
        if losses is not None:
            self._kinds.move_to_end(key)
            return losses
        choices = _choices(request.numa, self._board.fleet.nodes)
        while self._kinds and len(choices) + sum(len(table.takings) for table in self._tables.values()) > _KEPT:
            _key, oldest = self._kinds.popitem(last=False)
            oldest.table.drop(oldest.takings)
        takings = [Taking(self._board, request, nodes) for nodes in choices]
        losses = self._kinds[key] = Losses(self._tables[bool(choices[0])], takings)
        self._learn(losses)
        return losses

    def _learn(self, losses: Losses) -> None:
        """Count a kind of request that is new."""
        for taking in losses.takings:
            losses.table.add(taking)
            for rows in self._portions(ALL):
                left = taking.left(Room.of(self._board, rows), rows)
                losses.table.learn_one(taking, rows, self.slots[rows] - left.slots(self._shapes))

    def _portions(self, rows: Rows) -> list[Rows]:
        """Rows in parts, so that to count one of them takes little memory."""
        takings = 1 + sum(len(table.takings) for table in self._tables.values())
        most = max(1, _COUNTED_AT_ONCE // (takings * self._board.free.shape[1] * max(1, self.slots.shape[1])))
        many = len(self.slots) if isinstance(rows, slice) else len(rows)
        if many <= most:
            return [rows]
        if isinstance(rows, slice):
            return [slice(first, first + most) for first in range(0, many, most)]
        return [rows[first : first + most] for first in range(0, many, most)]


class Losses:
    """What one kind of request would cost, for each choice of NUMA nodes a taking."""

    __slots__ = ("table", "takings")

    def __init__(self, table: LossTable, takings: list[Taking]) -> None:
        self.table, self.takings = table, takings

    def costs(self, weights: Vector) -> list[Vector]:
        """For each taking what each host would lose, weighted. To be read alone."""
        return [self.table.costs(taking, weights) for taking in self.takings]


class LossTable:
    """How many slots each host would lose to each of some takings.

    :param size: the number of hosts, and of shapes.
    """

    def __init__(self, board: Board, size: tuple[int, int]) -> None:
        self._board, (self._hosts, self._shapes) = board, size
        self.takings: list[Taking] = []
        # Hosts by takings, and some to spare, by shapes; what that weighs; and the weights by which each taking's does.
        self._lost: npt.NDArray[np.float32] = np.zeros((self._hosts, 0, self._shapes), dtype=np.float32)
        self._costs: Vector = np.zeros((self._hosts, 0))
        self._weighed: list[Vector | None] = []
        self._line_up()

    def add(self, taking: Taking) -> None:
        """Make room for another taking."""
        if len(self.takings) == self._costs.shape[1]:
            more = max(4, len(self.takings))
            spare = np.zeros((self._hosts, more, self._shapes), dtype=np.float32)
            self._lost = np.concatenate([self._lost, spare], axis=1)
            self._costs = np.concatenate([self._costs, np.zeros((self._hosts, more))], axis=1)
        taking.place = len(self.takings)
        self.takings.append(taking)
        self._weighed.append(None)
        self._line_up()

    def drop(self, takings: list[Taking]) -> None:
        """Forget takings: the last takes the place of each."""
        for taking in takings:
            place, last = taking.place, self.takings.pop()
            self._weighed[place] = self._weighed[last.place]
            self._lost[:, place], self._costs[:, place] = self._lost[:, last.place], self._costs[:, last.place]
            del self._weighed[last.place]
            if last is not taking:
                self.takings[place], last.place = last, place
        self._line_up()

    def left(self, room: Room, rows: Rows, *, untouched: bool = False) -> Room:
        """What takings would leave of some hosts: hosts by takings.

        :param untouched: whether what is there goes first, of which nothing is taken.
        """
        first = 0 if untouched else 1
        whole = room.whole[..., None] - self._whole[..., first:]
        nodes = room.nodes[..., None]
        if self._lies:
            nodes = nodes - self._nodes[..., first:]
            whole[0][np.logical_or.reduce((nodes < 0) & self._on[..., first:], axis=(0, 1))] = 0
        for index, taking in self._odd:
            left = taking.left(room, rows)
            whole[..., index - first] = left.whole
            if self._lies:
                nodes[..., index - first] = left.nodes
        return Room(whole, nodes, None if room.told is None else room.told[:, None])

    def learn(self, rows: Rows, lost: Vector, weights: Vector) -> None:
        """What all takings cost on some hosts: hosts by takings by shapes."""
        many = slice(len(self.takings))
        self._lost[rows, many] = lost
        self._costs[rows, many] = _weighed(lost, weights)

    def learn_one(self, taking: Taking, rows: Rows, lost: Vector) -> None:
        """What one taking costs on some hosts."""
        self._lost[rows, taking.place] = lost

    def costs(self, taking: Taking, weights: Vector) -> Vector:
        """What each host would lose to a taking, weighted. To be read alone."""
        place = taking.place
        if self._weighed[place] is not weights:
            self._costs[:, place] = _weighed(self._lost[:, place], weights)
            self._weighed[place] = weights
        costs: Vector = self._costs[:, place]
        return costs

    def _line_up(self) -> None:
        """Put together what is taken; nothing comes first."""
        nothing = np.zeros(self._board.free.shape[1])
        taken = np.array([nothing, *(taking.taken for taking in self.takings)]).T
        # The columns of the NUMA nodes on which takings lie.
        on: Mask = np.zeros(taken.shape, dtype=np.bool_)
        for index, taking in enumerate(self.takings, start=1):
            on[taking.columns, index] = True
        # Between what is taken and by whom, the hosts.
        self._whole, self._nodes = taken[:WHOLE, None], _by_node(taken)[..., None, :]
        self._on: Mask = _by_node(on)[..., None, :]
        self._lies = bool(on.any())
        self._odd = [(index, taking) for index, taking in enumerate(self.takings, start=1) if taking.odd]


class Shapes:
    """Shapes as columns, so that the slots of all are counted at once.

    ``whole`` tells how many of each a unit of virtual CPUs holds, and a unit of memory; ``parts`` the same of the parts
    of those that lie on NUMA nodes, which are those from the ``first``. ``groups`` has for each number of nodes the
    columns of its shapes, counted from there.
    """

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        self.shapes = shapes
        requests = [Request(cpu, ram, numa=numa) for cpu, ram, numa in shapes]
        parts = [request.on_each(max(1, request.numa)) for request in requests]
        self.whole = _each([request.cpu_grains for request in requests], [request.ram_mib for request in requests])
        columns: dict[int, list[int]] = {}
        for index, (_cpu, _ram, numa) in enumerate(shapes):
            if numa:
                columns.setdefault(numa, []).append(index)
        self.first = min((found[0] for found in columns.values()), default=len(shapes))
        self.groups: list[tuple[int, Rows]] = [
            (numa, _block([index - self.first for index in found])) for numa, found in columns.items()
        ]
        lying = parts[self.first :]
        self.parts = _each([cpu for cpu, _ram in lying], [ram for _cpu, ram in lying])


class Room:
    """What is left on some hosts.

    :param whole: virtual CPUs, in grains, and MiB, which are the first dimension.
    :param nodes: the same of each NUMA node, the second. Dimensions of one stand for any number, as ever.
    :param told: which hosts tell anything of their nodes; None for all.
    """

    __slots__ = ("nodes", "told", "whole")

    def __init__(self, whole: Vector, nodes: Vector, told: Mask | None) -> None:
        self.whole, self.nodes, self.told = whole, nodes, told

    @classmethod
    def of(cls, board: Board, rows: Rows) -> Room:
        free = board.free.T[:, rows]
        return cls(free[:WHOLE], _by_node(free), None if board.all_told else board.fleet.numa_told[rows])

    def slots(self, shapes: Shapes) -> Vector:
        """How many VMs fit, with shapes as the last dimension. On a host that tells of no nodes, as if none cared."""
        slots = _times(self.whole, shapes.whole)
        np.minimum(slots, MOST, out=slots)
        if self.nodes.shape[1] and shapes.groups:
            of_nodes = slots[..., shapes.first :]
            np.minimum(of_nodes, self._most(shapes), out=of_nodes)
        return slots

    def _most(self, shapes: Shapes) -> Vector:
        """How many VMs the NUMA nodes allow of each shape that lies on some."""
        times = _times(self.nodes, shapes.parts)
        most: Vector = np.zeros(times.shape[1:])
        for numa, columns in shapes.groups:
            if numa <= len(times):
                most[..., columns] = _spread(times[..., columns], numa)
        return most if self.told is None else np.where(self.told[..., None], most, np.inf)


class Taking:
    """A request that takes its part of a host's room, on some of its NUMA nodes.

    ``taken`` is what it takes of the columns of a board, of which ``columns`` are those of its nodes. One that is
    ``odd`` takes something else of some hosts, or something besides: only :meth:`left` knows. ``place`` is where a
    table keeps it.
    """

    def __init__(self, board: Board, request: Request, nodes: tuple[int, ...]) -> None:
        self._board, self._request, self.nodes = board, request, nodes
        self.place = -1
        self.odd = request.pinned or (request.huge_pages and bool(nodes))
        self._cpu = [NODES + node for node in nodes]
        ram = [NODES + board.fleet.nodes + node for node in nodes]
        self.columns = self._cpu + ram
        self.taken: Vector = np.zeros(board.free.shape[1])
        self.taken[:WHOLE] = request.cpu_grains, 0 if request.huge_pages else request.ram_mib
        if nodes:
            each_cpu, each_ram = request.on_each(len(nodes))
            self.taken[self._cpu], self.taken[ram] = each_cpu, 0 if request.huge_pages else each_ram

    def left(self, room: Room, rows: Rows) -> Room:
        """What would be left of some hosts' room. Where the nodes would not do, nothing would be."""
        taken = self._pinned(rows) if self._request.pinned else self.taken[:, None]
        whole, nodes = room.whole - taken[:WHOLE], room.nodes - _by_node(taken)
        if self.nodes:
            whole[0, ~self._fits(nodes, rows)] = 0
        return Room(whole, nodes, room.told)

    def _pinned(self, rows: Rows) -> Vector:
        """What is taken of each host, columns by hosts: threads are worth more on some."""
        whole = self._board.cpu_taken(self._request, rows)
        taken: Vector = np.tile(self.taken[:, None], (1, len(self._board.free[rows])))
        taken[0] = whole
        if self.nodes:
            part, _ram = self._board.part_taken(self._request, len(self.nodes), rows)
            taken[self._cpu] = part
        return taken

    def _fits(self, left: Vector, rows: Rows) -> Mask:
        """Where none of its nodes has too little left, of what it takes of them."""
        nodes = list(self.nodes)
        taken = left[:1, nodes] if self._request.huge_pages else left[:, nodes]
        enough: Mask = np.logical_and.reduce(taken >= 0, axis=(0, 1))
        if not self._request.huge_pages:
            return enough
        _cpu, ram = self._request.on_each(len(nodes))
        pages = self._board.nodes_left(self._request, rows)[:, nodes] >= ram
        huge: Mask = enough & np.logical_and.reduce(pages, axis=1)
        return huge


def _by_node(columns: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Of a board's columns, the first dimension, those of NUMA nodes: what is left by nodes."""
    of_nodes = columns[NODES:]
    return of_nodes.reshape(2, len(of_nodes) // 2, *of_nodes.shape[1:])


def _block(columns: list[int]) -> Rows:
    """Columns that stand together as a slice, which is quicker to read."""
    first, last = columns[0], columns[-1]
    return slice(first, last + 1) if last - first + 1 == len(columns) else np.array(columns, dtype=np.intp)


# What is a whole number of times, or less than this part below one, is one: to multiply by what a unit holds is quicker
# than to divide, and may come out a rounding below. Any other quotient of whole numbers up to 2 to the 50th is further
# from the next whole number than that.
_ROUNDING: Final = 2.0**-51


def _each(cpu: list[int], ram: list[int]) -> Vector:
    """How many of each size one unit holds. Nothing fits without end: MOST times of what has no size."""
    each: Vector = (1.0 + _ROUNDING) / np.maximum(np.array([cpu, ram], dtype=np.float64), 1e-9)
    return each


def _times(free: Vector, each: Vector) -> Vector:
    """How often shapes, which become the last dimension, fit into virtual CPUs and memory, the first: whichever is
    less."""
    parts = np.maximum(free, 0.0)[..., None] * each.reshape(2, *(1,) * (free.ndim - 1), -1)
    times: Vector = np.minimum(parts[0], parts[1])
    np.floor(times, out=times)
    return times


def _spread(parts: Vector, numa: int) -> Vector:
    """How many VMs of ``numa`` parts fit, each part on another node, where a node takes that many parts; nodes are the
    first dimension.

    For any number of nodes left out, the rest must bear what is left of each VM: the tightest of these bounds is met.
    """
    nodes = len(parts)
    if numa in (1, nodes):
        # Of few nodes, one by one is quicker than along an axis.
        together = np.add if numa == 1 else np.minimum
        total: Vector = reduce(together, [*parts])
        return total
    ordered = np.cumsum(np.sort(parts, axis=0), axis=0)
    bounds = np.array([ordered[nodes - 1 - out] // (numa - out) for out in range(numa)])
    tightest: Vector = bounds.min(axis=0)
    return tightest


def _weighed(lost: Vector | npt.NDArray[np.float32], weights: Vector) -> Vector:
    # Summed row by row, so that a host's figure is the same in whatever company it is computed.
    total: Vector = np.add.reduce(lost * weights, axis=-1)
    return total


def _choices(numa: int, nodes: int) -> tuple[tuple[int, ...], ...]:
    """The sets of nodes on which a request could lie."""
    return tuple(combinations(range(nodes), numa)) if 0 < numa <= nodes else ((),)
