# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Not where a VM is that the request keeps away from, nor where one is that keeps away from the request: not on the
host, or not in its failure domain.

A host that carries no label of domains will not do for who keeps away from others by it: what is near is not known.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from ...model.reason import Reason
from ...model.term import HOST, join_term, split_term
from ..arrays import np
from ..claim import Claim
from ..domain import NONE
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.anti_affinity)


def averted(ask: Ask) -> bool:
    return bool(averse(ask))


def averse(ask: Ask) -> list[Claim]:
    """What VMs that are there say who keep away from the request."""
    return [claim for claim in ask.claims if not claim.at_most]


def passes(ask: Ask, rows: Rows) -> Mask:
    company = ask.fleet.company
    allowed: Mask = np.ones(len(ask.fleet), dtype=np.bool_)[rows]
    for term in ask.request.anti_affinity:
        allowed &= company.near(ask.request, term, rows) == 0
    for claim in averse(ask):
        allowed &= company.claimants(ask.request, claim, rows) == 0
    return allowed


def stamp(ask: Ask) -> Hashable:
    """Where they are whose company a whole domain is."""
    company = ask.fleet.company
    own = tuple(company.stamp(ask.request, term) for term in ask.request.anti_affinity)
    return own, tuple(company.claims_stamp(ask.request, claim) for claim in averse(ask))


def reason(ask: Ask, row: int) -> Reason:
    company, here = ask.fleet.company, slice(row, row + 1)
    met = {term: int(company.near(ask.request, term, here)[0]) for term in ask.request.anti_affinity}
    meets = {join_term(one.whom, one.by): int(company.claimants(ask.request, one, here)[0]) for one in averse(ask)}
    words = [_met(ask, term, many, row) for term, many in met.items() if many]
    words += [f"{_vms(many)} {_there(ask, term, row)} {_keep(many)} away from {term}" for term, many in _some(meets)]
    unknown = sorted(term for term, many in met.items() if many == NONE)
    numbers: dict[str, Any] = {"there": dict(_some(met)), "averse": dict(_some(meets))}
    return Reason("anti_affinity", "; ".join(words), numbers | ({"unknown": unknown} if unknown else {}))


def _met(ask: Ask, term: str, many: int, row: int) -> str:
    if many == NONE:
        return f"it has no label {split_term(term)[1]} to keep away from {term} by"
    return f"{_vms(many)} of {split_term(term)[0]} {_are(many)} {_there(ask, term, row)}"


def _there(ask: Ask, term: str, row: int) -> str:
    _whom, by = split_term(term)
    name = None if by == HOST else ask.fleet.company.domains.name(by, row)
    return "there" if name is None else f"in {by} {name}"


def _some(counts: dict[str, int]) -> list[tuple[str, int]]:
    return [(term, many) for term, many in counts.items() if many > 0]


def _vms(many: int) -> str:
    return "1 VM" if many == 1 else f"{many} VMs"


def _are(many: int) -> str:
    return "is" if many == 1 else "are"


def _keep(many: int) -> str:
    return "keeps" if many == 1 else "keep"


FILTER = Filter("anti_affinity", passes, reason, concerns, stamp=stamp, averted=averted)
