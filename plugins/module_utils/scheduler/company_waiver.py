# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a request would have to go without of what it says about other VMs, so that a host will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..model.term import GROUP, HOST, VM, join_term, split_term
from .claim import term_of_spread
from .domain import NONE
from .filters.affinity import is_kept
from .filters.anti_affinity import averse
from .filters.spread import is_forbidden, limits_of_others
from .request import Request
from .rule import Ask
from .spread import Spread
from .waiver import Waiver


def waive_company(rule: str, ask: Ask, row: int) -> Waiver | None:
    """What a request would have to go without for a rule to accept a host; None where it is not for it to say."""
    return _WAIVERS[rule](ask, row) if rule in _WAIVERS else None


def _affinity(ask: Ask, row: int) -> Waiver:
    here = slice(row, row + 1)
    kept = tuple(term for term in ask.request.affinity if is_kept(ask, term, here)[0])
    missing = [term for term in ask.request.affinity if term not in kept]
    return _without("affinity to", missing, replace(ask.request, affinity=kept))


def _anti_affinity(ask: Ask, row: int) -> Waiver | None:
    request, company, here = ask.request, ask.fleet.company, slice(row, row + 1)
    if any(company.claimants(request, claim, here)[0] for claim in averse(ask)):
        return None
    met = [term for term in request.anti_affinity if company.near(request, term, here)[0]]
    kept = tuple(term for term in request.anti_affinity if term not in met)
    return _without("anti-affinity to", met, replace(request, anti_affinity=kept))


def _spread(ask: Ask, row: int) -> Waiver | None:
    company, here = ask.fleet.company, slice(row, row + 1)
    if any(is_forbidden(ask, claim, here)[0] for claim in limits_of_others(ask)):
        return None
    limits: list[Spread] = []
    words, more = [], 0
    for limit in ask.request.spread:
        whom = term_of_spread(ask.request, limit.label)
        there = 0 if whom is None else int(company.near(ask.request, join_term(whom, limit.by), here)[0])
        if there == NONE:
            words.append(f"without spread by {limit.by}")
            more += 1
            continue
        limits.append(replace(limit, at_most=max(limit.at_most, there + 1)))
        if there >= limit.at_most:
            words.append(f"{there + 1} of {_spoken(str(whom))} on one {limit.by}, not {limit.at_most} at most")
            more += there + 1 - limit.at_most
    return Waiver(" and ".join(words), more, replace(ask.request, spread=tuple(limits)))


def _without(kind: str, terms: list[str], request: Request) -> Waiver:
    return Waiver(f"without {kind} {' and '.join(map(_spoken, terms))}", len(terms), request)


def _spoken(term: str) -> str:
    whom, by = split_term(term)
    near = "" if by == HOST else f" by {by}"
    if whom.startswith(VM):
        return f"VM {whom.removeprefix(VM)}{near}"
    return f"{f'group {whom.removeprefix(GROUP)}' if whom.startswith(GROUP) else f'label {whom}'}{near}"


_WAIVERS: Final[dict[str, Callable[[Ask, int], Waiver | None]]] = {
    "affinity": _affinity,
    "anti_affinity": _anti_affinity,
    "spread": _spread,
}
