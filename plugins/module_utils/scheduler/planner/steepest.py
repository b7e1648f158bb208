# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The one move of all that lowers the score the most.

All pairs of a VM and a host are too many to look at for each move. So each VM is first given a bound: what it could
gain at the very best. Those with the best bounds are then computed exactly, until no other's bound beats what
was found.

A move changes a metric's variance V by d, and d has a part that depends on the VM and its source alone, and one that
depends on its size and its target alone. The standard deviation is the root of V + d, which is concave: between the
least and the greatest d there can be, it is nowhere below its chord. So the sum of the chords is a lower bound of the
new score in which both parts stand apart, and the best target of each size is the minimum of a matrix of sizes by
hosts. Many sizes are put into few classes; then the least that any size of the class does is the bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ..arrays import np
from ..request import Request
from .aim import Aim
from .draft import Draft
from .objective import Ledger

if TYPE_CHECKING:
    from ..arrays import Integers, Mask, Vector


# VMs computed exactly at first; each further time twice as many.
_FIRST: Final = 4
# Classes of sizes that are told apart, and the factors within which sizes are near each other.
_CLASSES: Final = 128
# Sets of hosts to which VMs may go that are told apart.
_GROUPS: Final = 16
_STEPS: Final = (1.05, 1.1, 1.2, 1.4, 2.0, 4.0, 16.0, 256.0)
# Gains are compared rounded to this: what floating point adds up differently is a tie.
_DIGITS: Final = 13
# What is no gain: the root of what floating point leaves of a variance that is none.
_NOISE: Final = 1e-7


@dataclass(frozen=True)
class Found:
    """A move that gains. ``change`` is what it does to the score, below 0."""

    vm: str
    row: int
    change: float


class Steepest:
    """Looks for the best move on a draft, again after each move.

    Which hosts would take a VM is learnt when it matters: until then, any might. VMs that rules cannot tell apart share
    what is learnt. After a move it is taken to be as it was, but that the host which was left might take more; before a
    VM moves, it is asked again.

    :param vms: those that may move.
    """

    def __init__(self, draft: Draft, vms: Iterable[str], aim: Aim) -> None:
        self._draft, self._aim = draft, aim
        self.vms = sorted(vms)
        self._index = {vm: index for index, vm in enumerate(self.vms)}
        self.ledger = Ledger(draft.fleet)
        requests = [draft.request_of(vm) for vm in self.vms]
        lasting = _Lasting(draft, self.vms, requests)
        self._sizes = _Sizes([_size(request) for request in requests], lasting.which)
        self._rows: Integers = np.array([draft.fleet.rows[draft.where(vm)] for vm in self.vms], dtype=np.int64)
        self._costs = self._cost(requests)
        self._targets = _Targets(draft, self.vms, self._sizes, lasting)

    def score(self) -> float:
        """The evenness now, without violations."""
        return self.ledger.balance().score

    def best(self) -> Found | None:
        """The move that gains the most beyond its cost; None when none gains enough.

        Of several the first VM's by id, to the first host by name.
        """
        worth = -max(self._aim.min_gain / max(1, len(self._draft.fleet)), _NOISE)
        while self.vms:
            found = self._search(worth)
            if found is None:
                return None
            index, row, change = found
            if self._targets.holds(index, row):
                return Found(self.vms[index], row, change)
        return None

    def best_of(self, vm: str, rows: Mask) -> int | None:
        """The host, of some, to which a VM would go with the best score; None when there is none."""
        chosen = np.array([self._index[vm]])
        changes = np.where(rows, self._exact(_Slope(self.ledger), chosen)[0], np.inf)
        row = int(changes.argmin())
        return None if changes[row] == np.inf else row

    def moved(self, vm: str, row: int) -> None:
        """A VM was moved to a host."""
        index = self._index[vm]
        source = int(self._rows[index])
        size = self._sizes.of([index])[:, 0]
        self.ledger.used[:, source] -= size
        self.ledger.used[:, row] += size
        self._rows[index] = row
        self._targets.may_take(source)

    def forget(self) -> bool:
        """Forget what was learnt before the last move: it may be no longer so. Whether there was anything."""
        return self._targets.forget()

    def _cost(self, requests: list[Request]) -> Vector:
        """What each VM's move has to gain to be worth while, in points of the score."""
        fleet = self._draft.fleet
        mean = float(fleet.ram.mean()) if len(fleet) else 1.0
        ram = np.array([request.ram_mib for request in requests], dtype=np.float64)
        costs: Vector = self._aim.move_cost * ram / max(mean, 1.0) / max(1, len(fleet))
        return costs

    def _search(self, worth: float) -> tuple[int, int, float] | None:
        slope = _Slope(self.ledger)
        bounds = self._bounds(slope) + self._costs
        best: tuple[float, int, int] | None = None
        inviting = np.flatnonzero(bounds < worth)
        inviting = inviting[np.argsort(bounds[inviting], kind="stable")]
        start, count = 0, _FIRST
        while start < len(inviting) and bounds[inviting[start]] <= (worth if best is None else best[0]):
            chosen = np.sort(inviting[start : start + count])
            changes = np.where(self._targets.of(chosen), self._exact(slope, chosen), np.inf)
            changes = np.round(changes + self._costs[chosen, None], _DIGITS)
            targets = changes.argmin(axis=1)
            least = changes[np.arange(len(chosen)), targets]
            first = int(least.argmin())
            found = float(least[first]), int(chosen[first]), int(targets[first])
            if found[0] < worth and (best is None or found < best):
                best = found
            start, count = start + count, count * 2
        return None if best is None else (best[1], best[2], best[0] - float(self._costs[best[1]]))

    def _bounds(self, slope: _Slope) -> Vector:
        """For each VM, what its best move could do to the score at the very best."""
        sizes, open_to = self._sizes, self._targets.open_to
        sources = slope.source_parts(sizes.of(slice(None)), self._rows)
        chord, targets = slope.chord(sizes, sources, open_to)
        ends = np.where(open_to, np.einsum("sm,msb->sb", chord.rise, targets), np.inf).min(axis=1) + chord.start
        bounds: Vector = np.einsum("vm,mv->v", chord.rise[sizes.which], sources) + ends[sizes.which]
        return bounds

    def _exact(self, slope: _Slope, chosen: Integers) -> Vector:
        """What it would do to the score to move VMs to each host: VMs by hosts, infinite for where they are."""
        sources, sizes = self._rows[chosen], self._sizes.of(chosen)
        leaving = slope.source_parts(sizes, sources)
        coming = slope.target_parts(sizes)
        gone = sizes * slope.rates[:, sources]
        both = gone[:, :, None] * sizes[:, :, None] * slope.rates[:, None, :] * (2 / slope.hosts**2)[:, None, None]
        variances = np.maximum(slope.variances[:, None, None] + leaving[:, :, None] + coming + both, 0.0)
        changes: Vector = (np.sqrt(variances) - slope.deviations[:, None, None]).sum(axis=0)
        changes[np.arange(len(chosen)), sources] = np.inf
        return changes


@dataclass(frozen=True)
class _Chord:
    """For each class of sizes and metric a line that is nowhere above the change of the standard deviation: its rise
    for each unit of variance, and, summed over metrics, where it starts."""

    rise: Vector
    start: Vector


class _Slope:
    """What the score is now, and how moves would change it."""

    def __init__(self, ledger: Ledger) -> None:
        self.rates, self.hosts = ledger.rates, ledger.hosts
        distances, _means, self.variances = ledger.moments()
        self.deviations = np.sqrt(self.variances)
        # A share of d more on a host changes the variance by lean * d + bend * d**2.
        self._lean = 2 * distances * self.rates / self.hosts[:, None]
        self._bend = self.rates**2 * (1 / self.hosts - 1 / self.hosts**2)[:, None]

    def source_parts(self, sizes: Vector, rows: Integers) -> Vector:
        """What it does to each variance that VMs leave: metrics by VMs."""
        parts: Vector = (self._bend[:, rows] * sizes - self._lean[:, rows]) * sizes
        return parts

    def target_parts(self, sizes: Vector) -> Vector:
        """What it does to each variance that VMs come: metrics by sizes by hosts."""
        parts: Vector = (self._bend[:, None, :] * sizes[:, :, None] + self._lean[:, None, :]) * sizes[:, :, None]
        return parts

    def _least_parts(self, low: Vector, high: Vector) -> Vector:
        """The least that it does to each variance that a VM comes whose size is from one to another."""
        bend, lean = self._bend[:, None, :], self._lean[:, None, :]
        # A parabola that opens upwards, or a line where nothing counts.
        lowest = np.divide(-lean, 2 * bend, out=np.zeros_like(lean), where=bend > 0)
        size = np.clip(lowest, low[:, :, None], high[:, :, None])
        parts: Vector = (bend * size + lean) * size
        return parts

    def chord(self, sizes: _Sizes, sources: Vector, open_to: Mask) -> tuple[_Chord, Vector]:
        """Chords for each class of sizes, and the least that coming does to each variance: metrics by classes by hosts.

        :param sources: what it does that VMs leave, metrics by VMs.
        :param open_to: the hosts that might take VMs of a class.
        """
        targets, at_most = self._least_parts(sizes.low, sizes.high), self.target_parts(sizes.high)
        at_most = np.maximum(at_most, self.target_parts(sizes.low))
        least, most = sizes.least(sources), sizes.most(sources)
        # What both parts together add beyond their sum, at the most.
        together = 2 * (sizes.high * self.rates.max(axis=1, initial=0.0)[:, None] / self.hosts[:, None]) ** 2
        variances, deviations = self.variances[:, None], self.deviations[:, None]
        low = np.maximum(least + np.where(open_to, targets, np.inf).min(axis=2), -variances)
        low = np.minimum(low, 0.0)
        high = np.maximum(most + np.where(open_to, at_most, -np.inf).max(axis=2), 0.0) + together
        # A metric that becomes worse by more than all others can become better is no gain, whatever its bound says.
        gains = deviations - np.sqrt(variances + low)
        others = gains.sum(axis=0) - gains
        high = np.minimum(high, (deviations + others) ** 2 - variances)
        width = high - low
        steep = np.sqrt(variances + high) - np.sqrt(variances + low)
        rise = np.divide(steep, width, out=np.zeros_like(width), where=width > 0)
        start = (np.sqrt(variances + low) - deviations - rise * low).sum(axis=0)
        return _Chord(rise.T, start), targets


def _size(request: Request) -> tuple[float, float, float]:
    """What a VM takes of a host, in the order of ``METRICS``."""
    return float(request.ram_mib), float(request.disk_bytes), float(request.cpu_grains)


class _Sizes:
    """Sizes of VMs, metrics by VMs, and classes of them: from ``low`` to ``high``, metrics by classes.

    While there are few sizes, each is a class. Where there are many, those that are near each other share one, and a
    little less is known of each VM before it is computed exactly.
    """

    def __init__(self, sizes: list[tuple[float, float, float]], lasting: Integers) -> None:
        self._table: Vector = np.array(sizes, dtype=np.float64).reshape(-1, 3).T
        self.which: Integers = _classes(self._table, lasting)
        # VMs by class, and where each class begins.
        self._order = np.argsort(self.which, kind="stable")
        self._begins = np.flatnonzero(np.diff(self.which[self._order], prepend=-1))
        self.low, self.high = self.least(self._table), self.most(self._table)

    def __len__(self) -> int:
        return len(self._begins)

    def of(self, vms: Any) -> Vector:
        """The sizes of some VMs: metrics by VMs."""
        sizes: Vector = self._table[:, vms]
        return sizes

    def least(self, values: Vector) -> Vector:
        """The least value among the VMs of each class."""
        least: Vector = np.minimum.reduceat(values[:, self._order], self._begins, axis=1)
        return least

    def most(self, values: Vector) -> Vector:
        """The greatest."""
        most: Vector = np.maximum.reduceat(values[:, self._order], self._begins, axis=1)
        return most


def _classes(table: Vector, lasting: Integers) -> Integers:
    """For each VM the number of its class: of its size, or, where there are too many sizes, of its size in steps that
    are as fine as can be. VMs that may go to other hosts are in other classes, unless there are too many of those."""
    apart = lasting if lasting.max(initial=0) < _GROUPS else np.zeros_like(lasting)
    groups = int(apart.max(initial=0)) + 1
    which: Integers = np.unique(table, axis=1, return_inverse=True)[1].reshape(-1)
    for step in _STEPS:
        if which.max(initial=0) < max(1, _CLASSES // groups):
            break
        steps = np.floor(np.log(np.maximum(table, 1.0)) / np.log(step))
        which = np.unique(steps, axis=1, return_inverse=True)[1].reshape(-1)
    classes: Integers = np.unique(which * groups + apart, return_inverse=True)[1].reshape(-1)
    return classes


class _Lasting:
    """Which hosts each VM might ever go to, whatever others do: ``masks`` by hosts, and which of them is each VM's."""

    def __init__(self, draft: Draft, vms: list[str], requests: list[Request]) -> None:
        there = draft.fleet.placeable & ~draft.fleet.cordoned
        known: dict[object, int] = {}
        numbers: dict[bytes, int] = {}
        masks: list[Mask] = []
        for vm, request in zip(vms, requests, strict=True):
            if request.key not in known:
                mask = there & draft.ever_accepting(vm)
                number = known[request.key] = numbers.setdefault(mask.tobytes(), len(numbers))
                if number == len(masks):
                    masks.append(mask)
        self.which: Integers = np.array([known[request.key] for request in requests], dtype=np.int64)
        self.masks: Mask = np.array(masks, dtype=np.bool_).reshape(len(masks), len(there))


class _Targets:
    """Which hosts might take which VMs, as far as is known: those that are known to refuse are left out."""

    def __init__(self, draft: Draft, vms: list[str], sizes: _Sizes, lasting: _Lasting) -> None:
        self._draft, self._vms, self._sizes = draft, vms, sizes
        kinds: dict[object, int] = {}
        # What the fleet may lack depends on where a VM comes from.
        told: Callable[[str], object] = str if draft.is_short else partial(_kind, draft)
        self._kind: Integers = np.array([kinds.setdefault(told(vm), len(kinds)) for vm in vms], dtype=np.int64)
        self._class_of_kind = np.zeros(len(kinds), dtype=np.int64)
        self._class_of_kind[self._kind] = sizes.which
        lasting_of_kind = np.zeros(len(kinds), dtype=np.int64)
        lasting_of_kind[self._kind] = lasting.which
        # Who might take a kind as far as it is known, and what no other VM's leaving changes of that.
        self._ever: Mask = lasting.masks[lasting_of_kind]
        self._might: Mask = self._ever.copy()
        self._count: Integers = np.zeros((len(sizes), len(draft.fleet)), dtype=np.int64)
        np.add.at(self._count, self._class_of_kind, self._might.astype(np.int64))
        self._board = draft.board()
        # Moves so far, and after how many of them it was learnt who takes a kind; -1 for not yet.
        self._moves = 0
        self._learnt: Integers = np.full(len(kinds), -1, dtype=np.int64)

    def of(self, chosen: Integers) -> Mask:
        """The hosts that might take each VM: VMs by hosts. Kinds of which nothing was learnt yet are asked about."""
        kinds = self._kind[chosen]
        for index in np.flatnonzero(self._learnt[kinds] < 0).tolist():
            if self._learnt[kinds[index]] < 0:
                self._learn(int(kinds[index]), self._draft.accepting(self._vms[chosen[index]]))
        mask: Mask = self._might[kinds]
        return mask

    @property
    def open_to(self) -> Mask:
        """The hosts that might take any VM of a class: classes of sizes by hosts."""
        mask: Mask = self._count > 0
        return mask

    def holds(self, index: int, row: int) -> bool:
        """Whether a host does take a VM, by all rules. What they say of the others is learnt."""
        accepting = self._draft.accepting(self._vms[index])
        if accepting[row]:
            if self._draft.takes(self._vms[index], self._draft.fleet.hosts[row].id):
                return True
            accepting[row] = False
        self._learn(int(self._kind[index]), accepting)
        return False

    def may_take(self, row: int) -> None:
        """A VM left a host: those might go there that no lasting rule keeps off, and that are not too large."""
        self._board.refresh()
        free = np.array([self._board.ram_free[row], self._board.disk_free[row], self._board.cpu_free[row]])
        fits: Mask = np.all(self._sizes.low <= free[:, None], axis=0)
        opened = ~self._might[:, row] & self._ever[:, row] & fits[self._class_of_kind]
        np.add.at(self._count[:, row], self._class_of_kind[opened], 1)
        self._might[opened, row] = True
        self._moves += 1

    def forget(self) -> bool:
        """Know no more than lasting rules say, of the kinds that were asked about before the last move."""
        old = np.flatnonzero((self._learnt >= 0) & (self._learnt < self._moves)).tolist()
        for kind in old:
            self._learn(kind, self._ever[kind])
            self._learnt[kind] = -1
        return bool(old)

    def _learn(self, kind: int, accepting: Mask) -> None:
        self._count[self._class_of_kind[kind]] += accepting.astype(np.int64) - self._might[kind].astype(np.int64)
        self._might[kind] = accepting
        self._learnt[kind] = self._moves


def _kind(draft: Draft, vm: str) -> object:
    """What VMs have in common that rules cannot tell apart. One that speaks of others, or of which others speak, is a
    kind of its own, since what it hears depends on where it is itself."""
    request = draft.request_of(vm)
    if request.affinity or request.anti_affinity or request.spread or draft.followers(vm) or draft.is_counted(vm):
        return vm
    return request.key, request.group, request.project, tuple(sorted(request.labels.items()))
