# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One way to place a batch, tried on a fleet of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .board import Board
from .group import NewVm
from .pipeline import Scheduler
from .request import Request
from .sheet import REFUSED

if TYPE_CHECKING:
    from .arrays import Integers, Vector

# Questions asked of the scheduler while what is left over is fitted in, for each VM that is, and in all.
_QUESTIONS_EACH: Final = 400
_QUESTIONS: Final = 6000
# Hosts looked at for one VM, those that lack the least first.
_HOSTS: Final = 48


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

    def ordered(self, units: Sequence[Unit], *, largest_first: bool) -> list[Unit]:
        """Units in the order in which to place them: by priority, then by size, then as they were given."""
        sizes = self._sizes(units)
        sign = -1.0 if largest_first else 1.0
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
                if unit in self.left and self._questions < _QUESTIONS and self._fit_in(unit):
                    self.left.remove(unit)
                    self.done.append(unit)
                    placed = True

    def _fit_in(self, unit: Unit) -> bool:
        if self._add(unit):
            return True
        return len(unit.vms) == 1 and (self._shift_in(unit) or self._swap_in(unit))

    def clear(self) -> None:
        """Take everything off the fleet again. What was placed stays known."""
        for vm in self.places:
            self._fleet.remove(vm)

    def kept(self) -> BatchDraft:
        """The draft as it is now."""
        twin = copy(self)
        twin.places, twin.done, twin.left = dict(self.places), list(self.done), list(self.left)
        return twin

    def is_legal(self) -> bool:
        """Whether no rule refuses a step of it, taken in order on the fleet without it."""
        settled: list[str] = []
        legal = True
        for vm in (vm for unit in self.done for vm in unit.vms):
            host = self.places[vm.id]
            if not self._accepts(vm.request, host):
                legal = False
                break
            self._scheduler.settle(vm.id, host, vm.request)
            settled.append(vm.id)
        for name in settled:
            self._fleet.remove(name)
        return legal

    def _sizes(self, units: Sequence[Unit]) -> list[float]:
        """Each unit's size by VM: its share of what is left of the scarcest thing, and a little of the others."""
        self._board.refresh()
        free = [max(1.0, float(column.clip(min=0).sum())) for column in self._room()]
        sums = [
            [float(size) for size in map(sum, zip(*(_size(vm.request) for vm in unit.vms), strict=True))]
            for unit in units
        ]
        wanted = [sum(one[index] for one in sums) / left for index, left in enumerate(free)]
        scarce = max(range(len(free)), key=lambda index: wanted[index])
        return [
            (one[scarce] / free[scarce] + 1e-3 * sum(size / left for size, left in zip(one, free, strict=True)))
            / max(1, len(unit.vms))
            for unit, one in zip(units, sums, strict=True)
        ]

    def _room(self) -> tuple[Vector | Integers, ...]:
        board = self._board
        return board.cpu_free, board.ram_free, board.disk_free

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
        for other, home in self._neighbours(new.request):
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

    def _swap_in(self, unit: Unit) -> bool:
        """Leave out one of the batch that is no more important, where two or more that are left fit in its place."""
        (new,) = unit.vms
        others = [one for one in self.left if one is not unit and len(one.vms) == 1]
        for other, home in self._neighbours(new.request):
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

    def _neighbours(self, request: Request) -> Iterator[tuple[NewVm, str]]:
        """VMs of the batch on the hosts that lack the least for a request, with those hosts; smaller ones first."""
        by_host: dict[str, list[NewVm]] = {}
        for unit in self.done:
            for vm in unit.vms:
                by_host.setdefault(self.places[vm.id], []).append(vm)
        asked = self._questions
        for host in self._nearest(request, list(by_host)):
            for vm in sorted(by_host[host], key=lambda one: _size(one.request)):
                if self._questions >= min(_QUESTIONS, asked + _QUESTIONS_EACH):
                    return
                yield vm, host

    def _nearest(self, request: Request, hosts: list[str]) -> list[str]:
        self._board.refresh()
        rows = [self._fleet.rows[host] for host in hosts]
        lacks = [0.0] * len(rows)
        for column, wanted in zip(self._room(), _size(request), strict=True):
            if wanted:
                lacks = [
                    lack + max(0.0, wanted - float(free)) / wanted
                    for lack, free in zip(lacks, column[rows].tolist(), strict=True)
                ]
        return [host for _lack, host in sorted(zip(lacks, hosts, strict=True))[:_HOSTS]]

    def _choose(self, request: Request) -> str | None:
        self._questions += 1
        return self._scheduler.choose(request, now=self._now)

    def _accepts(self, request: Request, host: str) -> bool:
        self._questions += 1
        return bool(self._scheduler.ranks(request, now=self._now)[self._fleet.rows[host]] != REFUSED)

    def _put(self, vm: NewVm, host: str) -> None:
        self._scheduler.settle(vm.id, host, vm.request)
        self.places[vm.id] = host

    def _take_off(self, vm: str) -> None:
        self._fleet.remove(vm)
        del self.places[vm]


def _size(request: Request) -> tuple[int, int, int]:
    return request.cpu_grains, request.ram_mib, request.disk_bytes + sum(request.pools.values())
