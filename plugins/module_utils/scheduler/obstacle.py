# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What stood in the way of a request, rule by rule over the whole fleet: what a refusal says in a few lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .arrays import np
from .rule import Ask
from .sheet import Sheet


@dataclass(frozen=True)
class Obstacle:
    """A rule that refused hosts to a request.

    :param hosts: how many it refused.
    :param alone: how many of them no other rule refused: without it, they would have done.
    :param message: what it says of the first of them, after that host's name.
    """

    rule: str
    hosts: int
    alone: int
    message: str

    def to_mapping(self) -> dict[str, Any]:
        return {"rule": self.rule, "hosts": self.hosts, "alone": self.alone, "message": self.message}


def obstacles_on(ask: Ask, sheet: Sheet) -> tuple[Obstacle, ...]:
    """The rules of a sheet that refuse hosts, the one that refuses the most first."""
    if not len(ask.fleet):
        return ()
    refuses = ~sheet.passes
    by_one = refuses & (np.count_nonzero(refuses, axis=0) == 1)
    hosts, alone = np.count_nonzero(refuses, axis=1).tolist(), np.count_nonzero(by_one, axis=1).tolist()
    first = refuses.argmax(axis=1).tolist()
    found = [
        Obstacle(rule.name, hosts[index], alone[index], _message(ask, sheet, index, first[index]))
        for index, rule in enumerate(sheet.filters)
        if hosts[index]
    ]
    return tuple(sorted(found, key=lambda obstacle: (-obstacle.hosts, obstacle.rule)))


def _message(ask: Ask, sheet: Sheet, index: int, row: int) -> str:
    return f"{ask.fleet.hosts[row].id}: {sheet.filters[index].reason(ask, row).message}"
