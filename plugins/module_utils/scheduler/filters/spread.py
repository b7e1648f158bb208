# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""No more VMs of a kind in one failure domain than the request allows, itself included, nor than any of that kind
allows that is there already.

The kind is the request's group, or the VMs with its value of a label. A host that does not carry the label of domains
is in none, and what would fall with it is not known: it will not do.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

from ...model.reason import Reason
from ...model.term import HOST, join_term, split_term
from ..arrays import np
from ..claim import Claim, term_of_spread
from ..domain import NONE
from ..request import Request
from ..rule import Ask, Filter
from ..spread import Spread

if TYPE_CHECKING:
    from ..arrays import Integers, Mask, Rows


def concerns(request: Request) -> bool:
    return any(term_of_spread(request, limit.label) is not None for limit in request.spread)


def averted(ask: Ask) -> bool:
    return bool(limits_of_others(ask))


def limits_of_others(ask: Ask) -> list[Claim]:
    """What VMs of the request's kind that are there allow."""
    return [claim for claim in ask.claims if claim.at_most]


def passes(ask: Ask, rows: Rows) -> Mask:
    company = ask.fleet.company
    allowed: Mask = np.ones(len(ask.fleet), dtype=np.bool_)[rows]
    for limit, term in _limits(ask.request):
        there = company.near(ask.request, term, rows)
        allowed &= (there != NONE) & (there < limit.at_most)
    for claim in limits_of_others(ask):
        allowed &= ~is_forbidden(ask, claim, rows)
    return allowed


def is_forbidden(ask: Ask, claim: Claim, rows: Rows) -> Mask:
    """For some rows, whether the request would be one too many there for a VM that is there already."""
    company = ask.fleet.company
    claimed: Integers = company.claimants(ask.request, claim, rows)
    forbidden: Mask = (claimed > 0) & (company.beside(ask.request, claim, rows) >= claim.at_most)
    return forbidden


def stamp(ask: Ask) -> Hashable:
    """Where its kind is: each VM of it counts for all hosts of its domain."""
    company = ask.fleet.company
    own = tuple(company.stamp(ask.request, term) for _limit, term in _limits(ask.request))
    return own, tuple(company.claims_stamp(ask.request, claim) for claim in limits_of_others(ask))


def reason(ask: Ask, row: int) -> Reason:
    over = [*_own_passed(ask, row), *_others_passed(ask, row)]
    return Reason("spread", "; ".join(map(_words, over)), {"over": over})


def _own_passed(ask: Ask, row: int) -> Iterator[dict[str, Any]]:
    """The request's own limits that it would pass."""
    for limit, term in _limits(ask.request):
        there = int(ask.fleet.company.near(ask.request, term, slice(row, row + 1))[0])
        if there == NONE or there >= limit.at_most:
            yield _numbers(ask, row, Claim(split_term(term)[0], limit.by, limit.at_most), there)


def _others_passed(ask: Ask, row: int) -> Iterator[dict[str, Any]]:
    """The limits of others that it would pass, with how many there have them."""
    company, here = ask.fleet.company, slice(row, row + 1)
    for claim in limits_of_others(ask):
        if is_forbidden(ask, claim, here)[0]:
            there = int(company.beside(ask.request, claim, here)[0])
            claimed = int(company.claimants(ask.request, claim, here)[0])
            yield _numbers(ask, row, claim, there) | {"claimed_by": claimed}


def _numbers(ask: Ask, row: int, limit: Claim, there: int) -> dict[str, Any]:
    name = ask.fleet.hosts[row].id if limit.by == HOST else ask.fleet.company.domains.name(limit.by, row)
    counts = {"there": max(0, there), "at_most": limit.at_most}
    return {"by": limit.by, "domain": name, "term": limit.whom, **counts}


def _words(over: dict[str, Any]) -> str:
    by, name, many, claimed = over["by"], over["domain"], over["at_most"], over.get("claimed_by")
    if claimed is None and name is None:
        return f"it has no label {by} to spread by"
    has = f"{'it' if name is None else f'{by} {name}'} has {over['there']} of {over['term']}"
    if claimed is None:
        return f"{has}, {many} at most"
    return f"{has}, {many} at most for {'1 VM' if claimed == 1 else f'{claimed} VMs'} there"


def _limits(request: Request) -> list[tuple[Spread, str]]:
    """Each limit with the term, in its domain, of those that it counts."""
    limits = ((limit, term_of_spread(request, limit.label)) for limit in request.spread)
    return [(limit, join_term(whom, limit.by)) for limit, whom in limits if whom is not None]


FILTER = Filter("spread", passes, reason, concerns, stamp=stamp, averted=averted)
