# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which VMs would have to be gone so that a refused request fits: those of its own project, which are its to give up.

Looked for on the hosts that lack the least. The fewest that will do; of sets as many, those that matter the least.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final

from .arrays import np
from .lodger import Lodger, LodgerSet, Lodgings, by_preference, lacks_of
from .rule import Ask

if TYPE_CHECKING:
    from .arrays import Integers, Vector

__all__ = ["LodgerSet", "leaving"]

# What VMs' leaving can change.
_LEAVE: Final = frozenset(
    ("cpu", "memory", "numa", "disk", "pools", "bandwidth", "anti_affinity", "spread", "n_plus_one")
)
# Hosts looked at, those that lack the least first; VMs that would have to be gone, at most; sets tried of one size.
_HOSTS: Final = 8
_AT_MOST: Final = 3
_TRIED: Final = 8


def leaving(ask: Ask, refused: Mapping[tuple[str, ...], Integers]) -> Iterator[tuple[tuple[str, ...], LodgerSet]]:
    """Sets of VMs that may do, the best first, each with the rules that refuse their host now: whether they do has to
    be tried.

    :param refused: rows by the rules that refuse them.
    """
    places = list(_places(ask, refused))
    rules = {place.host: rules for rules, place in places}
    for size in range(1, _AT_MOST + 1):
        for found in islice(by_preference([place for _rules, place in places], size), _TRIED):
            yield rules[found.host], found


def _places(ask: Ask, refused: Mapping[tuple[str, ...], Integers]) -> Iterator[tuple[tuple[str, ...], Lodgings]]:
    """Hosts on which enough VMs of the project are."""
    fleet, request = ask.fleet, ask.request
    near = [
        (lacking, row, rules)
        for rules, rows in refused.items()
        if _LEAVE.issuperset(rules)
        for lacking, row in _nearest(ask, rows)
    ]
    for _lacking, row, rules in sorted(near)[:_HOSTS]:
        host = fleet.hosts[row].id
        there = ((vm, fleet.request_of(vm)) for vm in fleet.on(host))
        # A share of a host that is called otherwise is no VM: it is on its way, or held for one.
        lodgers = [
            Lodger.of(vm, one, disks_stay=False) for vm, one in there if one.project == request.project and one.vm == vm
        ]
        place = Lodgings.of(host, lacks_of(ask, row, rules), lodgers) if lodgers else None
        if place is not None:
            yield rules, place


def _nearest(ask: Ask, rows: Integers) -> list[tuple[float, int]]:
    """Of some rows those that lack the least, each with the largest share that it lacks of what is asked for."""
    board, request = ask.board, ask.request
    lacking: Vector = np.zeros(len(rows), dtype=np.float64)
    for free, wanted in (
        (board.cpu_free, request.cpu_grains), (board.ram_free, request.ram_mib), (board.disk_free, request.disk_bytes),
    ):  # fmt: skip
        lacking = np.maximum(lacking, (wanted - free[rows]) / max(1, wanted))
    nearest = lacking.argsort(kind="stable")[:_HOSTS]
    return list(zip(lacking[nearest].tolist(), rows[nearest].tolist(), strict=True))
