# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the VMs of any one host could go to the others, were it to fail: by virtual CPUs and memory, for all hosts at
once.

To try it by really placing them would be a packing problem for each host and each decision. Instead everything is
measured in *chunks*, a 4,096th of the largest host: a VM by the larger of its two shares, rounded up to a power of two;
a host's room by the smaller of its two, rounded down. Pieces that are powers of two fill rooms without waste, largest
first, exactly when for each size the pieces of that size and above are no more than the rooms, each rounded down to
that size. That is a sum for each of 14 sizes, and it changes with one host at a time.

What it says can be relied on; what it denies may be possible: a VM of 3 GiB counts as 4, one of few CPUs and much
memory as if it had the CPUs as well.

A fleet may be short already, after a host died, say. Then a VM that comes is one too many wherever it goes. One that
moves, whose request names the host that it comes from, may go where no host's failure leaves more pieces of any size
without room than it does now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .arrays import np
from .grain import GRAINS, grains
from .host import HostView
from .request import Request

if TYPE_CHECKING:
    from .arrays import Integers, Mask, Rows, Vector
    from .board import Board

# The largest host is 2 to this power chunks. A piece may be twice as large, which then fits nowhere.
_POWERS: Final = 12
_CHUNKS: Final = 1 << _POWERS
_SIZES: Final = _POWERS + 2
# Stands for what a host without pieces of a size needs of the others: not even that they have nothing.
_NOTHING: Final = -(1 << 62)

# What a VM takes of any host: virtual CPUs and MiB.
Footprint = tuple[float, int]


@dataclass(frozen=True)
class Shortage:
    """What could not be absorbed.

    :param row: the host that fails.
    :param wanted_mib: what its VMs of the least size ``piece_mib`` and above take, as memory.
    :param free_mib: what the other hosts have for pieces of that size.
    :param before_mib: how much too little that is already, without the VM or while it is where it comes from.
    """

    row: int
    piece_mib: int
    wanted_mib: int
    free_mib: int
    before_mib: int


class Absorption:
    """Rooms and pieces of a board's fleet, in chunks. Columns are sizes by hosts."""

    def __init__(self, board: Board) -> None:
        self._board, fleet = board, board.fleet
        self._cpu_unit = _power(int(board.cpu_limit.max(initial=0)) // GRAINS) * GRAINS
        self._ram_unit = _power(int(board.ram_limit.max(initial=0)))
        self._powers: Integers = np.arange(_SIZES, dtype=np.int64)[:, None]
        self._piece_of: dict[Footprint, int] = {}
        # Virtual CPUs that a pinned one displaces wherever it goes.
        self._thread = max(1.0, float(board.overcommit.max(initial=1.0)))
        self._unknown = [self._piece(self._unnamed(host)) for host in fleet.hosts]
        self._rooms: Integers = np.zeros((_SIZES, len(fleet)), dtype=np.int64)
        self._pieces: Integers = np.zeros((_SIZES, len(fleet)), dtype=np.int64)
        # Rooms and pieces of a host together: what has to be left of all rooms, so that it can fail.
        self._needs: Integers = np.zeros((_SIZES, len(fleet)), dtype=np.int64)
        self._total: Integers = np.zeros(_SIZES, dtype=np.int64)
        self._most: Integers = np.zeros(_SIZES, dtype=np.int64)
        self._doubts: dict[Footprint, list[int]] = {}
        self._spares: dict[Footprint, tuple[int, int]] = {}
        self._seen, self._stood = -1, (-1, (0.0, 0))
        self._arrived = 0, 0, 0
        # The last answer, to be given again.
        self._asked: tuple[int, Footprint] | None = None
        self._ample = False

    def ample(self, request: Request) -> bool:
        """Whether it makes no difference on which host a request comes to lie: any failure could be absorbed."""
        asked = self._board.fleet.version, self._footprint(request)
        if self._asked != asked:
            self._ample = self._surely(request) or not self._doubtful(request)
            self._asked = asked
        return self._ample

    def _surely(self, request: Request) -> bool:
        """Whether that is so whatever came of the changes since the last count.

        A VM that comes takes its chunks from all rooms, and what rounding to a size may cost: that size; and its host
        then needs no more than twice its chunks. One that goes gives its room to its host and to all rooms alike. A
        host on which the first VM comes to lie needs its room too.
        """
        fleet, before = self._board.fleet, self._arrived
        if self._seen in (-1, fleet.version) or self._stood != self._standing():
            return False
        arrivals = fleet.arrivals - before[0]
        cpu, ram_mib = fleet.arrived_cpu - before[1], fleet.arrived_ram - before[2]
        of_cpu, of_ram = int(cpu * self._worth()) * _CHUNKS // self._cpu_unit, ram_mib * _CHUNKS // self._ram_unit
        chunks = of_cpu + of_ram + 2 * arrivals
        footprint = self._footprint(request)
        known = self._spares.get(footprint)
        if known is None:
            known = self._spares[footprint] = self._spare(footprint)
        spare, largest = known
        return spare >= 3 * chunks + arrivals * largest

    def _spare(self, footprint: Footprint) -> tuple[int, int]:
        """By how much more than enough was left at the last count, if every host had something on it, and the largest
        size that a VM of the fleet may have."""
        sizes = 1 + max(0, self._piece(footprint), self._piece(self._largest()), *self._unknown)
        spare = (self._total - np.maximum(self._most, _CHUNKS) - self._asks(footprint))[:sizes]
        return int(spare.min()), 1 << (sizes - 1)

    def _standing(self) -> tuple[int, Footprint]:
        """What has to be as it was at the last count, so that something can be told without another."""
        return self._board.fleet.state_version, self._largest()

    def _largest(self) -> Footprint:
        """The most that one VM has taken, ever."""
        return self._board.fleet.largest_cpu * self._worth() / GRAINS, self._board.fleet.largest_ram

    def _worth(self) -> float:
        """What a virtual CPU may displace at the most: one, unless any ever had a thread for itself."""
        return self._thread if self._board.fleet.pins else 1.0

    @property
    def short(self) -> bool:
        """Whether some failure could not be absorbed as the fleet is."""
        self._refresh()
        return bool((self._total < self._most).any())

    def allows(self, request: Request, rows: Rows) -> Mask:
        """For some rows, whether any failure could be absorbed with the request there, or for one that moves, whether
        none leaves more without room than it does now."""
        doubtful, added = self._doubtful(request), self._added(self._footprint(request))
        after = self._room_after(request, rows)
        allowed: Mask = np.ones(len(after), dtype=np.bool_)
        borne = self._borne(request)
        for power in doubtful if len(after) else ():
            room = self._rooms[power, rows]
            itself = self._total[power] - added[power] - room - self._pieces[power, rows] >= borne[power, rows]
            lost = room - (after >> power << power)
            others = _most_of_others(self._needs[power] + borne[power], rows)
            allowed &= itself & (self._total[power] - others >= lost)
        return allowed

    def shortage(self, request: Request, row: int) -> Shortage | None:
        """What could not be absorbed with a request on a host: of the first such host, the largest pieces. None when
        all could, or what cannot is no more than now."""
        self._refresh()
        slack = self._slack(request, row)
        growing = slack < self._borne(request)
        short = np.flatnonzero(np.any(growing, axis=0))
        if not len(short):
            return None
        failing = int(short[0])
        power = int(growing[:, failing].nonzero()[0].max())
        itself = failing == row
        wanted = int(self._pieces[power, failing]) + (
            int(self._added(self._footprint(request))[power]) if itself else 0
        )
        before = self._before(request)[power, failing]
        return Shortage(
            failing,
            piece_mib=self._mib(1 << power),
            wanted_mib=self._mib(wanted),
            free_mib=self._mib(wanted + int(slack[power, failing])),
            before_mib=self._mib(max(0, -int(before))),
        )

    def _slack(self, request: Request, row: int) -> Integers:
        """With a request on a host, how much more room there is than is needed: sizes by hosts that fail."""
        lost = self._rooms[:, row] - self._rounded(self._room_after(request, np.array([row])))[:, 0]
        slack: Integers = (self._total - lost)[:, None] - self._needs
        added = self._added(self._footprint(request))
        slack[:, row] = self._total - added - self._rooms[:, row] - self._pieces[:, row]
        return slack

    def _before(self, request: Request) -> Integers:
        """The same while a request is where it comes from, or nowhere."""
        row = None if request.source is None else self._board.fleet.rows.get(request.source)
        if row is not None:
            return self._slack(request, row)
        slack: Integers = self._total[:, None] - self._needs
        return slack

    def _borne(self, request: Request) -> Integers:
        """What may be lacking, 0 or less: sizes by hosts that fail."""
        if request.source is None:
            return np.zeros_like(self._needs)
        return np.minimum(self._before(request), 0)

    def _refresh(self) -> None:
        board = self._board
        board.refresh()
        if self._seen == board.fleet.version:
            return
        rows = board.fleet.changed_since(self._seen)
        before = self._rooms[:, rows].sum(axis=1)
        self._rooms[:, rows] = self._rounded(self._room(rows, board.cpu_free[rows], board.ram_free[rows]))
        self._total = self._total + self._rooms[:, rows].sum(axis=1) - before
        for row in np.arange(len(board.fleet))[rows].tolist():
            self._pieces[:, row] = self._lying(row)
        pieces = self._pieces[:, rows]
        self._needs[:, rows] = np.where(pieces > 0, self._rooms[:, rows] + pieces, _NOTHING)
        self._most = self._needs.max(axis=1, initial=_NOTHING)
        self._doubts.clear()
        self._spares.clear()
        self._seen, self._stood = board.fleet.version, self._standing()
        self._arrived = board.fleet.arrivals, board.fleet.arrived_cpu, board.fleet.arrived_ram

    def _doubtful(self, request: Request) -> list[int]:
        """The sizes of pieces of which a request may leave too little room, depending on its host."""
        self._refresh()
        footprint = self._footprint(request)
        doubtful = self._doubts.get(footprint)
        if doubtful is None:
            doubtful = self._doubts[footprint] = self._doubts_of(footprint)
        return doubtful

    def _doubts_of(self, footprint: Footprint) -> list[int]:
        added = self._added(footprint)
        for_all = self._total - self._most >= self._asks(footprint)
        # Also for a host on which nothing lay before, and whose room may be as large as any.
        for_itself = (added == 0) | (self._total - _CHUNKS >= added)
        doubtful: list[int] = np.flatnonzero(~(for_all & for_itself)).tolist()
        return doubtful

    def _asks(self, footprint: Footprint) -> Integers:
        """What a request takes of all rooms, or needs of the others if its host fails, by size: whichever is more."""
        size, powers = self._size(footprint), self._powers[:, 0]
        lost = ((size + (1 << powers) - 1) >> powers) << powers
        asks: Integers = np.maximum(lost, self._added(footprint))
        return asks

    def _room_after(self, request: Request, rows: Rows) -> Integers:
        """Chunks that would be free on some hosts with a request there."""
        board, taken = self._board, 0 if request.huge_pages else request.ram_mib
        cpu_left = board.cpu_free[rows] - board.cpu_taken(request, rows)
        return self._room(rows, cpu_left, board.ram_free[rows] - taken)

    def _room(self, rows: Rows, cpu_free: Vector, ram_free: Vector) -> Integers:
        """Chunks that are free on hosts that take VMs."""
        fleet = self._board.fleet
        cpu = np.maximum(cpu_free, 0).astype(np.int64) * _CHUNKS // self._cpu_unit
        ram = np.maximum(ram_free, 0).astype(np.int64) * _CHUNKS // self._ram_unit
        room: Integers = np.where(fleet.placeable[rows] & ~fleet.cordoned[rows], np.minimum(cpu, ram), 0)
        return room

    def _rounded(self, room: Integers) -> Integers:
        rounded: Integers = (room >> self._powers) << self._powers
        return rounded

    def _lying(self, row: int) -> Integers:
        """Chunks of the VMs on a host by their least size."""
        counts = [0] * _SIZES
        known = (self._piece(self._footprint(vm)) for vm in self._board.fleet.requests_on(row))
        for piece in (self._unknown[row], *known):
            if piece >= 0:
                counts[piece] += 1 << piece
        lying: Integers = np.cumsum(counts[::-1], dtype=np.int64)[::-1]
        return lying

    def _footprint(self, request: Request) -> Footprint:
        cpu = self._own_threads(request.cpu) if request.pinned else request.cpu
        return cpu, 0 if request.huge_pages else request.ram_mib

    def _unnamed(self, host: HostView) -> Footprint:
        """What a host's figures say beyond the VMs that are known, taken for one VM."""
        pinned = self._own_threads(host.allocated_pinned_cpu)
        cpu = host.allocated_cpu - host.allocated_pinned_cpu + pinned
        return cpu, host.allocated_ram_mib - host.allocated_huge_pages_mib

    def _own_threads(self, cpu: float) -> int:
        """Whole virtual CPUs that could have shared the threads of pinned ones."""
        return -(-round(grains(cpu) * self._thread) // GRAINS)

    def _added(self, footprint: Footprint) -> Integers:
        piece = self._piece(footprint)
        added: Integers = np.where(np.arange(_SIZES) <= piece, 1 << max(piece, 0), 0)
        return added

    def _piece(self, footprint: Footprint) -> int:
        """The power of two that a VM counts as; -1 for one of no size."""
        piece = self._piece_of.get(footprint)
        if piece is None:
            size = self._size(footprint)
            piece = self._piece_of[footprint] = min((size - 1).bit_length(), _SIZES - 1) if size else -1
        return piece

    def _size(self, footprint: Footprint) -> int:
        cpu, ram_mib = footprint
        return max(-(-grains(cpu) * _CHUNKS // self._cpu_unit), -(-ram_mib * _CHUNKS // self._ram_unit))

    def _mib(self, chunks: int) -> int:
        return chunks * self._ram_unit // _CHUNKS


def _most_of_others(needs: Integers, rows: Rows) -> Integers:
    """For some rows, what the host that needs the most needs, that one aside."""
    first = int(needs.argmax())
    second = max(needs[:first].max(initial=_NOTHING), needs[first + 1 :].max(initial=_NOTHING))
    most: Integers = np.where(np.arange(len(needs))[rows] == first, second, needs[first])
    return most


def _power(number: int) -> int:
    """The least power of two that is as large."""
    return 1 << max(0, number - 1).bit_length()
