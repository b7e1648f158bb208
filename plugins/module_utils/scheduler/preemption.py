# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which VMs of lower priority would have to leave one host so that a request fits there: planned, never done here.

Who leaves is stopped, and its disks stay where they are: nobody's place is taken for want of disk.

The fewest that will do. Of sets as large, the one whose most important VM matters the least, then the one that matters
the least in all, then by the names of the host and the VMs. Each set that is offered has been tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from .lodger import Lodger, Lodgings, by_preference, lacks_of
from .priority import PRIORITY_MAX, Precedence
from .request import Request
from .rule import Ask
from .sheet import Sheet

# Who decides again without some VMs: the score that a host would have then; None when it would still refuse.
Without = Callable[[str, tuple[str, ...]], "float | None"]

# Whether a VM is not to be asked to leave, whatever its priority.
Spared = Callable[[str], bool]

# Sets tried in all, of one size: beyond these the search for that size ends.
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
        for chosen in islice(by_preference(places, size), _TRIED):
            score = without(chosen.host, chosen.vms)
            if score is not None:
                priorities = {one.vm: one.priority for one in chosen.leaving}
                return Preemption(chosen.host, score, tuple(Victim(vm, priorities[vm]) for vm in chosen.vms))
    return None


def _places(ask: Ask, sheet: Sheet, precedence: Precedence, spared: Spared) -> Iterator[Lodgings]:
    """The hosts on which enough VMs may leave."""
    open_rows = sheet.standing
    by_row: dict[int, list[Lodger]] = {}
    for vm in ask.fleet.vms():
        request = ask.fleet.request_of(vm)
        if precedence.may_leave(request, ask.request) and not spared(vm):
            row = ask.fleet.rows[str(ask.fleet.where(vm))]
            if open_rows[row]:
                by_row.setdefault(row, []).append(Lodger.of(vm, request, disks_stay=True))
    for row, lodgers in sorted(by_row.items()):
        lacks = lacks_of(ask, row, (rule.name for rule in sheet.refusing(row)))
        place = Lodgings.of(ask.fleet.hosts[row].id, lacks, lodgers)
        if place is not None and place.least <= precedence.at_most:
            yield place
