# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only where one VM of every term is that the request wants to be with.

A group or a label that nobody carries yet is no reason to refuse: its first VM has to go somewhere. A VM that is named
by its id and is not there is one.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ...model.reason import Reason
from ...model.term import VM
from ..arrays import np
from ..company import on_rows
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.affinity)


def passes(ask: Ask, rows: Rows) -> Mask:
    allowed = np.ones(len(ask.fleet), dtype=np.bool_)[rows]
    for term in ask.request.affinity:
        there = ask.fleet.company.with_term(ask.request, term)
        if there or term.startswith(VM):
            allowed &= on_rows(there, rows, len(ask.fleet))
    return allowed


def stamp(ask: Ask) -> Hashable:
    """Which terms anybody answers to: with the first VM of a group, all hosts but one drop out."""
    return tuple(bool(ask.fleet.company.with_term(ask.request, term)) for term in ask.request.affinity)


def reason(ask: Ask, row: int) -> Reason:
    company, hosts = ask.fleet.company, ask.fleet.hosts
    crowds = {term: company.with_term(ask.request, term) for term in ask.request.affinity}
    missing = [term for term, there in crowds.items() if row not in there and (there or term.startswith(VM))]
    where = {term: sorted(hosts[other].id for other in crowds[term]) for term in missing}
    words = [f"{term} is on {_words(names)}" for term, names in where.items()]
    return Reason("affinity", f"to be with {', '.join(missing)}, and {'; '.join(words)}", {"missing": where})


def _words(hosts: list[str]) -> str:
    if not hosts:
        return "no host"
    return ", ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")


FILTER = Filter("affinity", passes, reason, concerns, stamp=stamp)
