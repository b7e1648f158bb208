# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Rather with whom the request likes, and without whom it does not: the share of its wishes that a host meets.

A wish to be with VMs is met where one of them is; one to be apart counts half where one is, a third where two are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import np
from ..company import many_on_rows
from ..request import Request
from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def concerns(request: Request) -> bool:
    return bool(request.prefer_with or request.prefer_apart)


def values(ask: Ask, rows: Rows) -> Vector:
    request, company, hosts = ask.request, ask.fleet.company, len(ask.fleet)
    met: Vector = np.zeros(hosts, dtype=np.float64)[rows]
    for term in request.prefer_with:
        met = met + (many_on_rows(company.with_term(request, term), rows, hosts) > 0)
    for term in request.prefer_apart:
        met = met + 1.0 / (1.0 + many_on_rows(company.with_term(request, term), rows, hosts))
    return met / (len(request.prefer_with) + len(request.prefer_apart))


SCORER = Scorer("soft_affinity", values, concerns=concerns)
