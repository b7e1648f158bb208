# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only where one VM of every term is that the request wants to be with: on the host, or in its failure domain.

A group or a label that nobody carries yet is no reason to refuse: its first VM has to go somewhere. A VM that is named
by its id and is not there is one. Nor will a host do that carries no label of domains: nobody could be near it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

from ...model.reason import Reason
from ...model.term import HOST, VM, split_term
from ..arrays import np
from ..domain import NONE
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.affinity)


def passes(ask: Ask, rows: Rows) -> Mask:
    allowed: Mask = np.ones(len(ask.fleet), dtype=np.bool_)[rows]
    for term in ask.request.affinity:
        allowed &= is_kept(ask, term, rows)
    return allowed


def is_kept(ask: Ask, term: str, rows: Rows) -> Mask:
    """For some rows, whether the request would be with a VM of a term, if there is any."""
    there = ask.fleet.company.near(ask.request, term, rows)
    kept: Mask = there > 0 if is_missed(ask, term) else there != NONE
    return kept


def is_missed(ask: Ask, term: str) -> bool:
    """Whether a host without a VM of a term will not do: there are some elsewhere, or it is one that there has to
    be."""
    whom, _by = split_term(term)
    return whom.startswith(VM) or bool(ask.fleet.company.where(ask.request, whom))


def stamp(ask: Ask) -> Hashable:
    """Which terms anybody answers to: with the first VM of a group, all hosts but one drop out. And where they are
    whose company a whole domain is."""
    company = ask.fleet.company
    return tuple((is_missed(ask, term), company.stamp(ask.request, term)) for term in ask.request.affinity)


def reason(ask: Ask, row: int) -> Reason:
    company, hosts = ask.fleet.company, ask.fleet.hosts
    missing = [term for term in ask.request.affinity if not is_kept(ask, term, slice(row, row + 1))[0]]
    rows = {term: company.where(ask.request, split_term(term)[0]) for term in missing}
    words = [_words(ask, term, rows[term], row) for term in missing]
    where = {term: sorted(hosts[other].id for other in rows[term]) for term in missing}
    return Reason("affinity", f"to be with {', '.join(missing)}, and {'; '.join(words)}", {"missing": where})


def _words(ask: Ask, term: str, rows: Iterable[int], row: int) -> str:
    """Where those of a term are, in words."""
    (whom, by), domains = split_term(term), ask.fleet.company.domains
    if by == HOST:
        return f"{whom} is on {_listed([ask.fleet.hosts[other].id for other in rows], 'no host')}"
    if domains.name(by, row) is None:
        return f"it has no label {by}"
    names = {name for other in rows if (name := domains.name(by, other)) is not None}
    return f"{whom} is in {_listed([f'{by} {name}' for name in names], f'no {by}')}"


def _listed(names: list[str], nothing: str) -> str:
    if not names:
        return nothing
    return ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


FILTER = Filter("affinity", passes, reason, concerns, stamp=stamp)
