# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""VMs that lie on a host and might leave it, and the sets of them that give back enough for another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate, islice
from typing import Final

from .request import Request
from .rule import Ask

# Grains, MiB and bytes.
Amounts = tuple[int, int, int]

# The rules that ask for them.
_RULES: Final = ("cpu", "memory", "disk")
# More than any host has.
_ALL: Final = 1 << 60
# Sets looked at on one host, of one size.
_SETS_ON_HOST: Final = 2000


@dataclass(frozen=True, order=True)
class Lodger:
    """A VM that may have to leave, and what it gives back, or more."""

    priority: int
    vm: str
    gives: Amounts

    @classmethod
    def of(cls, vm: str, request: Request, *, disks_stay: bool) -> Lodger:
        """What a VM gives back by leaving.

        :param disks_stay: whether it leaves its disks behind.
        """
        # Threads of its own give back what they could promise.
        cpu = _ALL if request.pinned else request.cpu_grains
        return cls(request.priority, vm, (cpu, request.ram_mib, 0 if disks_stay else request.disk_bytes))


@dataclass(frozen=True, order=True)
class LodgerSet:
    """Some VMs of one host, in the order in which sets are preferred: the one whose most important VM matters the
    least, then the one that matters the least in all, then by names."""

    highest: int
    total: int
    host: str
    vms: tuple[str, ...]
    leaving: tuple[Lodger, ...]

    @property
    def rank(self) -> tuple[int, int, str]:
        """What tells it from sets of other hosts."""
        return self.highest, self.total, self.host


@dataclass(frozen=True)
class Lodgings:
    """A host, what it lacks, and who may leave it, the least important first.

    :param least: how many have to leave, at the least.
    """

    host: str
    lacks: Amounts
    lodgers: tuple[Lodger, ...]
    least: int

    @classmethod
    def of(cls, host: str, lacks: Amounts, lodgers: Iterable[Lodger]) -> Lodgings | None:
        """None when all of them together do not give back enough."""
        ordered = tuple(sorted(lodgers))
        least = _least(ordered, lacks)
        return None if least is None else cls(host, lacks, ordered, least)

    def best(self, size: int) -> tuple[int, int, str]:
        """The rank that no set of that size comes before."""
        least = [one.priority for one in self.lodgers[:size]]
        return least[-1], sum(least), self.host

    def sets(self, size: int) -> Iterator[LodgerSet]:
        """Sets of that size that give back what is lacking, the least important VMs first."""
        for leaving in islice(_covers(self.lodgers, size, self.lacks), _SETS_ON_HOST):
            highest = max(one.priority for one in leaving)
            total = sum(one.priority for one in leaving)
            yield LodgerSet(highest, total, self.host, tuple(sorted(one.vm for one in leaving)), leaving)


def by_preference(places: Sequence[Lodgings], size: int) -> Iterator[LodgerSet]:
    """The sets of a size on all hosts. Those of a host are put together only once none elsewhere may come before."""
    fitting = [place for place in places if place.least <= size <= len(place.lodgers)]
    ahead = sorted(((place.best(size), place) for place in fitting), key=lambda one: one[0], reverse=True)
    sets: list[LodgerSet] = []
    while ahead or sets:
        while ahead and (not sets or ahead[-1][0] <= sets[0].rank):
            for found in ahead.pop()[1].sets(size):
                heappush(sets, found)
        if sets:
            yield heappop(sets)


def lacks_of(ask: Ask, row: int, refusing: Iterable[str]) -> Amounts:
    """What a host has too little of for the request, where a rule asks for it.

    :param refusing: the rules that refuse it.
    """
    board, request, rules = ask.board, ask.request, {*refusing}
    free = int(board.cpu_free[row]), int(board.ram_free[row]), int(board.disk_free[row])
    # Threads and huge pages that somebody has alone are counted otherwise: there only trying tells.
    plain = not request.pinned, not request.huge_pages, True
    wanted = request.cpu_grains, request.ram_mib, request.disk_bytes
    cpu, ram, disk = (
        max(0, amount - left) if counts and rule in rules else 0
        for rule, counts, amount, left in zip(_RULES, plain, wanted, free, strict=True)
    )
    return cpu, ram, disk


def _least(lodgers: Sequence[Lodger], lacks: Amounts) -> int | None:
    """How many have to leave at the least, each thing looked at by itself; None when all together are not enough."""
    most = 1
    for index, lack in enumerate(lacks):
        if lack:
            given = accumulate(sorted((one.gives[index] for one in lodgers), reverse=True))
            count = next((number for number, total in enumerate(given, start=1) if total >= lack), None)
            if count is None:
                return None
            most = max(most, count)
    return most


def _covers(lodgers: tuple[Lodger, ...], size: int, lacks: Amounts) -> Iterator[tuple[Lodger, ...]]:
    """The sets of a size that give back enough, in the order of lodgers; what cannot become one is not followed."""
    if not size:
        if not any(lacks):
            yield ()
        return
    for index, one in enumerate(lodgers[: len(lodgers) - size + 1]):
        rest = lodgers[index + 1 :]
        cpu, ram, disk = (max(0, lack - given) for lack, given in zip(lacks, one.gives, strict=True))
        if _could(rest, size - 1, (cpu, ram, disk)):
            for others in _covers(rest, size - 1, (cpu, ram, disk)):
                yield (one, *others)


def _could(lodgers: tuple[Lodger, ...], size: int, lacks: Amounts) -> bool:
    """Whether so many of them may give back enough, each thing looked at by itself."""
    return all(
        not lack or sum(sorted((one.gives[index] for one in lodgers), reverse=True)[:size]) >= lack
        for index, lack in enumerate(lacks)
    )
