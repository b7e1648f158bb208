# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""No more VMs of a kind in one failure domain than the request allows, itself included.

The kind is the request's group, or the VMs with its value of a label. A host that does not carry the label of domains
is in none, and what would fall with it is not known: it will not do.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..arrays import np
from ..company import term_of_spread
from ..domain import NONE
from ..request import Request
from ..rule import Ask, Filter
from ..spread import HOST, Spread

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return any(term_of_spread(request, limit.label) is not None for limit in request.spread)


def passes(ask: Ask, rows: Rows) -> Mask:
    allowed = np.ones(len(ask.fleet), dtype=np.bool_)[rows]
    for limit, term in _limits(ask.request):
        there = ask.fleet.company.in_domain(ask.request, term, limit.by)[rows]
        allowed &= (there != NONE) & (there < limit.at_most)
    return allowed


def stamp(ask: Ask) -> Hashable:
    """Where its kind is: each VM of it counts for all hosts of its domain."""
    return tuple(ask.fleet.company.stamp(ask.request, term) for limit, term in _limits(ask.request) if limit.by != HOST)


def reason(ask: Ask, row: int) -> Reason:
    company, domains = ask.fleet.company, ask.fleet.company.domains
    words, over = [], []
    for limit, term in _limits(ask.request):
        there = int(company.in_domain(ask.request, term, limit.by)[row])
        name = ask.fleet.hosts[row].id if limit.by == HOST else domains.name(limit.by, row)
        if there == NONE:
            words.append(f"it has no label {limit.by} to spread by")
        elif there >= limit.at_most:
            words.append(f"{limit.by} {name} has {there} of {term}, {limit.at_most} at most")
        else:
            continue
        numbers = {"there": max(0, there), "at_most": limit.at_most}
        over.append({"by": limit.by, "domain": name, "term": term, **numbers})
    return Reason("spread", "; ".join(words), {"over": over})


def _limits(request: Request) -> list[tuple[Spread, str]]:
    """Each limit with the term of those that it counts."""
    limits = ((limit, term_of_spread(request, limit.label)) for limit in request.spread)
    return [(limit, term) for limit, term in limits if term is not None]


FILTER = Filter("spread", passes, reason, concerns, stamp=stamp)
