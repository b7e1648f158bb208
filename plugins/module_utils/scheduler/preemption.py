# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which VMs of lower priority would have to leave one host so that a request fits there: planned, never done here.

Who leaves is stopped, and its disks stay where they are: nobody's place is taken for want of disk.

The fewest that will do. Of sets as large, the one whose most important VM matters the least, then the one that matters
the least in all, then by the names of the host and the VMs. Each set that is offered has been tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, Final

from .priority import PRIORITY_MAX, Precedence
from .request import Request
from .rule import Ask
from .sheet import Sheet

if TYPE_CHECKING:
    pass

# Who decides again without some VMs: the score that a host would have then; None when it would still refuse.
Without = Callable[[str, tuple[str, ...]], "float | None"]

# Whether a VM is not to be asked to leave, whatever its priority.
Spared = Callable[[str], bool]

# Sets looked at on one host, and sets tried in all, of one size: beyond these the search for that size ends.
_SETS_ON_HOST: Final = 2000
_TRIED: Final = 500


@dataclass(frozen=True)
class Victim:
    """A VM that would have to leave."""

    vm: str
    priority: int

    def to_mapping(self) -> dict[str, Any]:
        return {"vm": self.vm, "priority": self.priority}


@dataclass(frozen=True)
class Preemption:
    """What would have to be done.

    :param host: where the request would fit then.
    :param score: that host's score without the VMs that leave, 0 to 1.
    :param victims: those that leave, by id.
    """

    host: str
    score: float
    victims: tuple[Victim, ...]


def nobody(_vm: str) -> bool:
    """Spares nobody."""
    return False


def name_of_disks(vm: str) -> str:
    """What a fleet calls the disks of a VM that had to leave: they are nobody's company."""
    return f"{vm}.disks"


def left_behind(vm: Request) -> Request:
    """What a VM that had to leave still takes of its host: its disks, which leave for nobody."""
    return Request(0, 0, vm.disk_bytes, project=vm.project, pools=vm.pools, priority=PRIORITY_MAX)


def plan_preemption(
    ask: Ask, sheet: Sheet, precedence: Precedence, without: Without, spared: Spared = nobody
) -> Preemption | None:
    """The smallest set of VMs whose leaving makes room for a request that fits nowhere; None when none will do."""
    if not precedence.applies(ask.request):
        return None
    places = list(_places(ask, sheet, precedence, spared))
    for size in range(1, precedence.at_most + 1):
        for chosen in islice(_by_preference(places, size), _TRIED):
            score = without(chosen.host, chosen.vms)
            if score is not None:
                priorities = {one.vm: one.priority for one in chosen.leaving}
                return Preemption(chosen.host, score, tuple(Victim(vm, priorities[vm]) for vm in chosen.vms))
    return None


@dataclass(frozen=True, order=True)
class _Lodger:
    """A VM that may have to leave, and what it gives back: grains, MiB and bytes."""

    priority: int
    vm: str
    gives: tuple[int, int, int]


@dataclass(frozen=True, order=True)
class _Set:
    """Some VMs of one host, in the order in which sets are preferred."""

    highest: int
    total: int
    host: str
    vms: tuple[str, ...]
    leaving: tuple[_Lodger, ...]

    @property
    def rank(self) -> tuple[int, int, str]:
        """What tells it from sets of other hosts."""
        return self.highest, self.total, self.host


def _by_preference(places: Sequence[_Place], size: int) -> Iterator[_Set]:
    """The sets of a size on all hosts. Those of a host are put together only once none elsewhere may come before."""
    fitting = [place for place in places if place.least <= size <= len(place.lodgers)]
    ahead = sorted(((place.best(size), place) for place in fitting), key=lambda one: one[0], reverse=True)
    sets: list[_Set] = []
    while ahead or sets:
        while ahead and (not sets or ahead[-1][0] <= sets[0].rank):
            for found in ahead.pop()[1].sets(size):
                heappush(sets, found)
        if sets:
            yield heappop(sets)


@dataclass(frozen=True)
class _Place:
    """A host, what it lacks, and who may leave it, the least important first.

    :param least: how many have to leave, at the least.
    """

    host: str
    lacks: tuple[int, int, int]
    lodgers: tuple[_Lodger, ...]
    least: int

    def best(self, size: int) -> tuple[int, int, str]:
        """The rank that no set of that size comes before."""
        least = [one.priority for one in self.lodgers[:size]]
        return least[-1], sum(least), self.host

    def sets(self, size: int) -> Iterator[_Set]:
        """Sets of that size that give back what is lacking, the least important VMs first."""
        for leaving in islice(_covers(self.lodgers, size, self.lacks), _SETS_ON_HOST):
            highest = max(one.priority for one in leaving)
            total = sum(one.priority for one in leaving)
            yield _Set(highest, total, self.host, tuple(sorted(one.vm for one in leaving)), leaving)


def _places(ask: Ask, sheet: Sheet, precedence: Precedence, spared: Spared) -> Iterator[_Place]:
    """The hosts on which enough VMs may leave."""
    open_rows = sheet.standing
    by_row: dict[int, list[_Lodger]] = {}
    for vm in ask.fleet.vms():
        request = ask.fleet.request_of(vm)
        if precedence.may_leave(request, ask.request) and not spared(vm):
            row = ask.fleet.rows[str(ask.fleet.where(vm))]
            if open_rows[row]:
                by_row.setdefault(row, []).append(_Lodger(request.priority, vm, _gives(request)))
    for row, lodgers in sorted(by_row.items()):
        lacks = _lacks(ask, sheet, row)
        least = _least(lodgers, lacks)
        if least is not None and least <= precedence.at_most:
            yield _Place(ask.fleet.hosts[row].id, lacks, tuple(sorted(lodgers)), least)


# The rules that ask for grains, MiB and bytes.
_RULES: Final = ("cpu", "memory", "disk")
# More than any host has.
_ALL: Final = 1 << 60


def _size(request: Request) -> tuple[int, int, int]:
    return request.cpu_grains, request.ram_mib, request.disk_bytes


def _gives(vm: Request) -> tuple[int, int, int]:
    """What a VM gives back, or more: with threads of its own it gives back what they could promise. Never disk."""
    cpu, ram, _disk = _size(vm)
    return (_ALL if vm.pinned else cpu), ram, 0


def _lacks(ask: Ask, sheet: Sheet, row: int) -> tuple[int, int, int]:
    """What a host has too little of for the request, where a rule asks for it."""
    board = ask.board
    refusing = {rule.name for rule in sheet.refusing(row)}
    free = int(board.cpu_free[row]), int(board.ram_free[row]), int(board.disk_free[row])
    # Threads and huge pages that somebody has alone are counted otherwise: there only trying tells.
    plain = not ask.request.pinned, not ask.request.huge_pages, True
    cpu, ram, disk = (
        max(0, wanted - left) if counts and rule in refusing else 0
        for rule, counts, wanted, left in zip(_RULES, plain, _size(ask.request), free, strict=True)
    )
    return cpu, ram, disk


def _least(lodgers: Sequence[_Lodger], lacks: tuple[int, int, int]) -> int | None:
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


def _covers(lodgers: tuple[_Lodger, ...], size: int, lacks: tuple[int, int, int]) -> Iterator[tuple[_Lodger, ...]]:
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


def _could(lodgers: tuple[_Lodger, ...], size: int, lacks: tuple[int, int, int]) -> bool:
    """Whether so many of them may give back enough, each thing looked at by itself."""
    return all(
        not lack or sum(sorted((one.gives[index] for one in lodgers), reverse=True)[:size]) >= lack
        for index, lack in enumerate(lacks)
    )
