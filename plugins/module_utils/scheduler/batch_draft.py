# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One way to place a batch, tried on a fleet of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .arrays import np
from .board import Board
from .group import NewVm
from .pipeline import Scheduler
from .request import Request
from .sheet import REFUSED

if TYPE_CHECKING:
    from .arrays import Integers

# Questions asked of the scheduler while what is left over is fitted in.
_QUESTIONS: Final = 4000
# Hosts looked at for one VM, those that lack the least first, and partners for one that changes places.
_HOSTS: Final = 48
_EXCHANGES: Final = 4
# How much less a thing counts of which half as much is wanted, by its share, as of the scarcest: 2 to this power.
_SCARCITY: Final = 3


@dataclass(frozen=True)
class Unit:
    """What is placed whole or not at all.

    :param group: its name; None for one VM by itself.
    """

    group: str | None
    vms: tuple[NewVm, ...]

    @property
    def priority(self) -> int:
        return max((vm.request.priority for vm in self.vms), default=0)


class BatchDraft:
    """Units placed so far, in order, and those for which there was no room.

    :param scheduler: places on a fleet that is the draft's to change; it is as it was after :meth:`clear`.
    """

    def __init__(self, scheduler: Scheduler, now: float) -> None:
        self.places: dict[str, str] = {}
        self.done: list[Unit] = []
        self.left: list[Unit] = []
        self._scheduler, self._fleet, self._now = scheduler, scheduler.fleet, now
        self._board = Board(self._fleet, scheduler.policy.limits)
        self._questions = 0

    @property
    def worth(self) -> tuple[tuple[int, int], ...]:
        """How many VMs are placed of each priority, the most important first; of two drafts the greater is better."""
        counts: dict[int, int] = {}
        for unit in (*self.done, *self.left):
            for vm in unit.vms:
                counts[vm.request.priority] = counts.get(vm.request.priority, 0) + (vm.id in self.places)
        return tuple(sorted(counts.items(), reverse=True))

    def largest_first(self, units: Sequence[Unit]) -> list[Unit]:
        """By priority, then by size, then as they were given."""
        return self._ordered(units, -1.0)

    def smallest_first(self, units: Sequence[Unit]) -> list[Unit]:
        """The same with the smallest first."""
        return self._ordered(units, 1.0)

    def _ordered(self, units: Sequence[Unit], sign: float) -> list[Unit]:
        sizes = self._sizes(units)
        order = sorted(range(len(units)), key=lambda index: (-units[index].priority, sign * sizes[index], index))
        return [units[index] for index in order]

    def place(self, units: Sequence[Unit]) -> None:
        """Place each where the policy would have it, or leave it."""
        for unit in units:
            (self.done if self._add(unit) else self.left).append(unit)

    def repair(self) -> None:
        """Fit in what was left, as far as a bounded number of tries goes."""
        placed = True
        while placed:
            placed = False
            for unit in list(self.left):
                if unit in self.left and not self._spent() and self._fit_in(unit):
                    self.left.remove(unit)
                    self.done.append(unit)
                    placed = True

    def _fit_in(self, unit: Unit) -> bool:
        if self._add(unit):
            return True
        if len(unit.vms) > 1 or self._spent():
            return False
        return self._shift_in(unit) or self._exchange_in(unit) or self._swap_in(unit)

    def clear(self) -> None:
        """Take everything off the fleet again. What was placed stays known."""
        for vm, host in self.places.items():
            unsettle(self._scheduler, vm, host)

    def kept(self) -> BatchDraft:
        """The draft as it is now."""
        twin = copy(self)
        twin.places, twin.done, twin.left = dict(self.places), list(self.done), list(self.left)
        return twin

    def is_legal(self, scheduler: Scheduler) -> bool:
        """Whether no rule refuses a step of it, taken in order on the fleet without it.

        :param scheduler: that will take the steps. Another deals out a host's NUMA nodes otherwise.
        """
        settled: list[str] = []
        legal = True
        for vm in (vm for unit in self.done for vm in unit.vms):
            host = self.places[vm.id]
            if scheduler.ranks(vm.request, now=self._now)[self._fleet.rows[host]] == REFUSED:
                legal = False
                break
            settle(scheduler, vm, host)
            settled.append(vm.id)
        for name in reversed(settled):
            unsettle(scheduler, name, self.places[name])
        return legal

    def _sizes(self, units: Sequence[Unit]) -> list[float]:
        """Each unit's size by VM: its share of what is left of the scarcest thing, and some of the others'."""
        free = np.maximum(self._free().clip(min=0).sum(axis=0), 1)
        sums = np.array([_total(unit) for unit in units]).reshape(-1, len(free)) / free
        wanted = sums.sum(axis=0)
        # What there is plenty of hardly counts.
        weights = np.where(wanted > 0, (wanted / max(wanted.max(initial=0.0), 1e-12)) ** _SCARCITY, 0.0)
        many = np.array([max(1, len(unit.vms)) for unit in units])
        sizes: list[float] = ((sums * weights).sum(axis=1) / many).tolist()
        return sizes

    def _free(self) -> Integers:
        """What is left on each host: grains, MiB and bytes."""
        self._board.refresh()
        board = self._board
        free: Integers = np.stack([board.cpu_free, board.ram_free, board.disk_free], axis=1).astype(np.int64)
        return free

    def _add(self, unit: Unit) -> bool:
        """Place a whole unit, or nothing of it."""
        added: list[str] = []
        for vm in unit.vms:
            host = self._choose(vm.request)
            if host is None:
                for name in added:
                    self._take_off(name)
                return False
            self._put(vm, host)
            added.append(vm.id)
        return True

    def _shift_in(self, unit: Unit) -> bool:
        """Make room for a VM by moving one of the batch elsewhere."""
        (new,) = unit.vms
        for other, home in self._in_the_way(new.request):
            self._take_off(other.id)
            if self._accepts(new.request, home):
                self._put(new, home)
                host = self._choose(other.request)
                if host is not None:
                    self._put(other, host)
                    return True
                self._take_off(new.id)
            self._put(other, home)
        return False

    def _exchange_in(self, unit: Unit) -> bool:
        """Make room for a VM by having one of the batch change places with a smaller one."""
        (new,) = unit.vms
        lying = _Lying(self.done, self.places, self._fleet.rows)
        for other, home in self._in_the_way(new.request):
            for smaller in lying.exchanges(self._free(), other, home, new):
                if self._spent():
                    return False
                if self._exchange(new, other, smaller):
                    return True
        return False

    def _exchange(self, new: NewVm, other: NewVm, smaller: NewVm) -> bool:
        home, away = self.places[other.id], self.places[smaller.id]
        self._take_off(other.id)
        self._take_off(smaller.id)
        put: list[str] = []
        for vm, host in ((smaller, home), (new, home), (other, away)):
            if not self._accepts(vm.request, host):
                break
            self._put(vm, host)
            put.append(vm.id)
        else:
            return True
        for name in put:
            self._take_off(name)
        self._put(other, home)
        self._put(smaller, away)
        return False

    def _swap_in(self, unit: Unit) -> bool:
        """Leave out one of the batch that is no more important, where two or more that are left fit in its place."""
        (new,) = unit.vms
        others = [one for one in self.left if one is not unit and len(one.vms) == 1]
        if not others:
            return False
        for other, home in self._in_the_way(new.request):
            owner = next(one for one in self.done if other in one.vms)
            if len(owner.vms) > 1 or owner.priority > unit.priority:
                continue
            self._take_off(other.id)
            if self._accepts(new.request, home):
                self._put(new, home)
                more = next((one for one in others if one.priority >= owner.priority and self._add(one)), None)
                if more is not None:
                    self.done.remove(owner)
                    self.done.append(more)
                    self.left.remove(more)
                    self.left.append(owner)
                    return True
                self._take_off(new.id)
            self._put(other, home)
        return False

    def _in_the_way(self, request: Request) -> list[tuple[NewVm, str]]:
        """VMs of the batch without which there would be room enough for a request, with their hosts.

        Those on hosts that lack the least come first, and the smaller ones; of several alike on a host one will do.
        """
        by_host: dict[str, list[NewVm]] = {}
        for unit in self.done:
            for vm in unit.vms:
                by_host.setdefault(self.places[vm.id], []).append(vm)
        wanted, free = np.array(_size(request)), self._free()
        lacks = {host: np.maximum(wanted - free[self._fleet.rows[host]], 0) for host in by_host}
        share = {host: float((lack / np.maximum(wanted, 1)).sum()) for host, lack in lacks.items()}
        found: list[tuple[NewVm, str]] = []
        for host in sorted(by_host, key=lambda host: (share[host], host))[:_HOSTS]:
            lack = tuple(lacks[host].tolist())
            alike = {vm.request.key: vm for vm in by_host[host] if _covers(_size(vm.request), lack)}
            found += ((vm, host) for vm in sorted(alike.values(), key=lambda one: (_size(one.request), one.id)))
        return found

    def _spent(self) -> bool:
        return self._questions >= _QUESTIONS

    def _choose(self, request: Request) -> str | None:
        self._questions += 1
        return self._scheduler.choose(request, now=self._now)

    def _accepts(self, request: Request, host: str) -> bool:
        self._questions += 1
        return bool(self._scheduler.ranks(request, now=self._now)[self._fleet.rows[host]] != REFUSED)

    def _put(self, vm: NewVm, host: str) -> None:
        settle(self._scheduler, vm, host)
        self.places[vm.id] = host

    def _take_off(self, vm: str) -> None:
        unsettle(self._scheduler, vm, self.places.pop(vm))


class _Lying:
    """The VMs of a batch that lie somewhere, as columns."""

    def __init__(self, done: Sequence[Unit], places: Mapping[str, str], rows: Mapping[str, int]) -> None:
        self._vms = [vm for unit in done for vm in unit.vms]
        self._sizes = np.array([_size(vm.request) for vm in self._vms], dtype=np.int64).reshape(-1, 3)
        self._rows = np.array([rows[places[vm.id]] for vm in self._vms], dtype=np.intp)
        self._at = rows

    def exchanges(self, free: Integers, other: NewVm, home: str, new: NewVm) -> list[NewVm]:
        """Who could change places with ``other`` so that ``new`` fits beside it, as far as room goes."""
        moves, row = np.array(_size(other.request)) - self._sizes, self._at[home]
        fits = (free[row] + moves >= np.array(_size(new.request))).all(axis=1)
        fits &= (free[self._rows] >= moves).all(axis=1) & (self._rows != row)
        return [self._vms[index] for index in fits.nonzero()[0][:_EXCHANGES].tolist()]


def settle(scheduler: Scheduler, vm: NewVm, host: str) -> None:
    """Give a VM of a batch its room. Where that matters, it is one more of those being created there."""
    scheduler.settle(vm.id, host, vm.request)
    _count_create(scheduler, host, 1)


def unsettle(scheduler: Scheduler, vm: str, host: str) -> None:
    """Take it back."""
    scheduler.fleet.remove(vm)
    _count_create(scheduler, host, -1)


def _count_create(scheduler: Scheduler, host: str, more: int) -> None:
    if scheduler.counts_creates:
        fleet = scheduler.fleet
        fleet.set_creating(host, int(fleet.creating[fleet.rows[host]]) + more)


def _size(request: Request) -> tuple[int, int, int]:
    return request.cpu_grains, request.ram_mib, request.disk_bytes + sum(request.pools.values())


def _total(unit: Unit) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(_size(vm.request) for vm in unit.vms), strict=True))) or (0, 0, 0)


def _covers(size: tuple[int, int, int], lack: tuple[int, ...]) -> bool:
    return all(one >= other for one, other in zip(size, lack, strict=True))
