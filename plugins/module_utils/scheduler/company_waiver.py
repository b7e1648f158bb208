# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a request would have to go without of what it says about other VMs, so that a host will do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..model.term import GROUP, HOST, VM, join_term, split_term
from .arrays import ALL, np
from .claim import term_of_spread
from .domain import NONE
from .filters.affinity import is_kept
from .filters.anti_affinity import averse
from .filters.spread import is_forbidden, limits_of_others
from .request import Request
from .rule import Ask
from .spread import Spread
from .waiver import NOT_ITS_OWN, Waiver, Waiving, total

if TYPE_CHECKING:
    from .arrays import Integers, Rows


def _strangers(ask: Ask) -> Integers:
    """On each host, how many terms of affinity are missed."""
    return total(ask, (~is_kept(ask, term, ALL) for term in ask.request.affinity))


def _affinity(ask: Ask, row: int) -> Waiver:
    here = slice(row, row + 1)
    kept = tuple(term for term in ask.request.affinity if is_kept(ask, term, here)[0])
    missing = [term for term in ask.request.affinity if term not in kept]
    return _without("affinity to", missing, replace(ask.request, affinity=kept))


def _foes(ask: Ask) -> Integers:
    """On each host, how many terms of anti-affinity are met."""
    request, company = ask.request, ask.fleet.company
    met = total(ask, (company.near(request, term, ALL) != 0 for term in request.anti_affinity))
    shunned = total(ask, (company.claimants(request, claim, ALL) > 0 for claim in averse(ask)))
    return np.where(shunned > 0, NOT_ITS_OWN, met)


def _anti_affinity(ask: Ask, row: int) -> Waiver:
    request, here = ask.request, slice(row, row + 1)
    met = [term for term in request.anti_affinity if ask.fleet.company.near(request, term, here)[0]]
    kept = tuple(term for term in request.anti_affinity if term not in met)
    return _without("anti-affinity to", met, replace(request, anti_affinity=kept))


def _too_many(ask: Ask) -> Integers:
    """On each host, by how many the request's own limits would be passed; one that counts no domain there is one."""
    there = ((limit, _there(ask, limit, ALL)) for limit in ask.request.spread)
    passed = total(ask, (np.where(many == NONE, 1, np.maximum(0, many + 1 - limit.at_most)) for limit, many in there))
    others = total(ask, (is_forbidden(ask, claim, ALL) for claim in limits_of_others(ask)))
    return np.where(others > 0, NOT_ITS_OWN, passed)


def _there(ask: Ask, limit: Spread, rows: Rows) -> Integers:
    """For some rows, how many there are of those whom a limit counts; none where it counts nobody."""
    whom = term_of_spread(ask.request, limit.label)
    if whom is None:
        return np.zeros(len(ask.fleet), dtype=np.int64)[rows]
    return ask.fleet.company.near(ask.request, join_term(whom, limit.by), rows)


def _spread(ask: Ask, row: int) -> Waiver:
    limits: list[Spread] = []
    words = []
    for limit in ask.request.spread:
        there = int(_there(ask, limit, slice(row, row + 1))[0])
        if there == NONE:
            words.append(f"without spread by {limit.by}")
            continue
        limits.append(replace(limit, at_most=max(limit.at_most, there + 1)))
        if there >= limit.at_most:
            kind = _spoken(str(term_of_spread(ask.request, limit.label)))
            words.append(f"{there + 1} of {kind} on one {limit.by}, not {limit.at_most} at most")
    return Waiver(" and ".join(words), replace(ask.request, spread=tuple(limits)))


def _without(kind: str, terms: list[str], request: Request) -> Waiver:
    return Waiver(f"without {kind} {' and '.join(map(_spoken, terms))}", request)


def _spoken(term: str) -> str:
    whom, by = split_term(term)
    near = "" if by == HOST else f" by {by}"
    if whom.startswith(VM):
        return f"VM {whom.removeprefix(VM)}{near}"
    return f"{f'group {whom.removeprefix(GROUP)}' if whom.startswith(GROUP) else f'label {whom}'}{near}"


COMPANY_WAIVINGS: Final = {
    "affinity": Waiving(_strangers, _affinity),
    "anti_affinity": Waiving(_foes, _anti_affinity),
    "spread": Waiving(_too_many, _spread),
}
