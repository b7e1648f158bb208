# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Rather with whom the request likes, and without whom it does not: the share of its wishes that a host meets.

A wish to be with VMs is met where one of them is, on the host or in its failure domain; one to be apart counts half
where one is, a third where two are. A host that carries no label of domains meets no wish that speaks of them.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ..arrays import np
from ..domain import NONE
from ..request import Request
from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def concerns(request: Request) -> bool:
    return bool(request.prefer_with or request.prefer_apart)


def values(ask: Ask, rows: Rows) -> Vector:
    request, company = ask.request, ask.fleet.company
    met: Vector = np.zeros(len(ask.fleet), dtype=np.float64)[rows]
    for term in request.prefer_with:
        met = met + (company.near(request, term, rows) > 0)
    for term in request.prefer_apart:
        there = company.near(request, term, rows)
        met = met + np.where(there == NONE, 0.0, 1.0 / (1.0 + np.maximum(there, 0)))
    return met / (len(request.prefer_with) + len(request.prefer_apart))


def stamp(ask: Ask) -> Hashable:
    """Where they are whose company a whole domain is."""
    wishes = (*ask.request.prefer_with, *ask.request.prefer_apart)
    return tuple(ask.fleet.company.stamp(ask.request, term) for term in wishes)


SCORER = Scorer("soft_affinity", values, concerns=concerns, stamp=stamp)
