# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Not where a VM is that the request keeps away from, nor where one is that keeps away from the request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..arrays import np
from ..company import on_rows
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.anti_affinity)


def averted(ask: Ask) -> bool:
    return bool(ask.averse)


def passes(ask: Ask, rows: Rows) -> Mask:
    company, hosts = ask.fleet.company, len(ask.fleet)
    allowed = np.ones(hosts, dtype=np.bool_)[rows]
    for term in ask.request.anti_affinity:
        allowed &= ~on_rows(company.with_term(ask.request, term), rows, hosts)
    for term in ask.averse:
        allowed &= ~on_rows(company.averse(ask.request, term), rows, hosts)
    return allowed


def reason(ask: Ask, row: int) -> Reason:
    company, request = ask.fleet.company, ask.request
    met = {term: company.with_term(request, term).get(row, 0) for term in request.anti_affinity}
    meets = {term: company.averse(request, term).get(row, 0) for term in ask.averse}
    met, meets = _some(met), _some(meets)
    words = [f"{_vms(many)} of {term} {_are(many)} there" for term, many in met.items()]
    words += [f"{_vms(many)} there {_keep(many)} away from {term}" for term, many in meets.items()]
    return Reason("anti_affinity", "; ".join(words), {"there": met, "averse": meets})


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {term: many for term, many in counts.items() if many}


def _vms(many: int) -> str:
    return "1 VM" if many == 1 else f"{many} VMs"


def _are(many: int) -> str:
    return "is" if many == 1 else "are"


def _keep(many: int) -> str:
    return "keeps" if many == 1 else "keep"


FILTER = Filter("anti_affinity", passes, reason, concerns, averted=averted)
