# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a VM claims of others as long as it is there, be they as little concerned themselves as they like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..model.term import group_term, label_term, split_term
from .request import Request


@dataclass(frozen=True, order=True)
class Claim:
    """In its domain there shall be no more than so many VMs of a kind.

    :param whom: the term of those, without a domain.
    :param by: the label of hosts that makes a domain; ``host`` for each host by itself.
    :param at_most: how many; none beside the VM that claims it where it keeps away from them.
    """

    whom: str
    by: str
    at_most: int


def claims_of(request: Request) -> tuple[Claim, ...]:
    """What a VM claims, each claim once: by its anti-affinity that nobody comes, by its limits that no more come."""
    return tuple(dict.fromkeys(_claims(request))) if request.anti_affinity or request.spread else ()


def _claims(request: Request) -> Iterator[Claim]:
    for term in request.anti_affinity:
        yield Claim(*split_term(term), 0)
    for limit in request.spread:
        whom = term_of_spread(request, limit.label)
        if whom is not None:
            yield Claim(whom, limit.by, limit.at_most)


def term_of_spread(request: Request, label: str | None) -> str | None:
    """Which VMs a limit counts: those of the request's group, or with its value of a label; None if it has neither."""
    if label is None:
        return None if request.group is None else group_term(request.group)
    value = request.labels.get(label)
    return None if value is None else label_term(label, value)
