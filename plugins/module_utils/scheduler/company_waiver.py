# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a request would have to go without of what it says about other VMs, so that a host will do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ..model.term import GROUP, VM
from .company import term_of_spread
from .domain import NONE
from .request import Request
from .rule import Ask
from .spread import Spread
from .waiver import Waiver


def waive_company(rule: str, ask: Ask, row: int) -> Waiver | None:
    """What a request would have to go without for a rule to accept a host; None where it is not for it to say."""
    return _WAIVERS[rule](ask, row) if rule in _WAIVERS else None


def _affinity(ask: Ask, row: int) -> Waiver:
    request, company = ask.request, ask.fleet.company
    crowds = {term: company.with_term(request, term) for term in request.affinity}
    kept = tuple(term for term, there in crowds.items() if row in there or not (there or term.startswith(VM)))
    missing = [term for term in request.affinity if term not in kept]
    return _without("affinity to", missing, replace(request, affinity=kept))


def _anti_affinity(ask: Ask, row: int) -> Waiver | None:
    request, company = ask.request, ask.fleet.company
    if any(row in company.averse(request, term) for term in ask.averse):
        return None
    met = [term for term in request.anti_affinity if row in company.with_term(request, term)]
    kept = tuple(term for term in request.anti_affinity if term not in met)
    return _without("anti-affinity to", met, replace(request, anti_affinity=kept))


def _spread(ask: Ask, row: int) -> Waiver:
    limits: list[Spread] = []
    words, more = [], 0
    for limit in ask.request.spread:
        term = term_of_spread(ask.request, limit.label)
        there = 0 if term is None else int(ask.fleet.company.in_domain(ask.request, term, limit.by)[row])
        if there == NONE:
            words.append(f"without spread by {limit.by}")
            more += 1
            continue
        limits.append(replace(limit, at_most=max(limit.at_most, there + 1)))
        if there >= limit.at_most:
            words.append(f"{there + 1} of {_spoken(str(term))} on one {limit.by}, not {limit.at_most} at most")
            more += there + 1 - limit.at_most
    return Waiver(" and ".join(words), more, replace(ask.request, spread=tuple(limits)))


def _without(kind: str, terms: list[str], request: Request) -> Waiver:
    return Waiver(f"without {kind} {' and '.join(map(_spoken, terms))}", len(terms), request)


def _spoken(term: str) -> str:
    if term.startswith(VM):
        return f"VM {term.removeprefix(VM)}"
    return f"group {term.removeprefix(GROUP)}" if term.startswith(GROUP) else f"label {term}"


_WAIVERS: Final[dict[str, Callable[[Ask, int], Waiver | None]]] = {
    "affinity": _affinity,
    "anti_affinity": _anti_affinity,
    "spread": _spread,
}
