# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Requests whose own rules contradict each other: no fleet whatsoever could keep them all.

They are refused where they are read. A scheduler that is asked all the same answers by each rule as ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

from ..model.errors import Problem
from ..model.term import HOST, join_term, split_term
from .claim import term_of_spread
from .request import Request

# What wants VMs near and what wants them away, in pairs that no host keeps both of for the same VMs.
_OPPOSED: Final = (
    ("affinity", "anti_affinity"),
    ("affinity", "prefer_apart"),
    ("anti_affinity", "prefer_with"),
    ("prefer_with", "prefer_apart"),
)
_NEAR: Final = ("affinity", "prefer_with")


def conflicts(request: Request, field: str = "") -> list[Problem]:
    """What contradicts itself in a request, both rules named each time; an empty list when nothing does.

    :param field: the request's path in its document, for problems.
    """
    found = [*_opposed(request), *_host(request), *_spread(request), *_pinned(request)]
    return [Problem(f"{field}.{one.field}" if field else one.field, one.message, one.allowed) for one in found]


def _opposed(request: Request) -> Iterator[Problem]:
    for one, other in _OPPOSED:
        for first, second in product(_plain(getattr(request, one)), _plain(getattr(request, other))):
            if _is_within(*((first, second) if one in _NEAR else (second, first))):
                where = f"in {one} and in {other}" if first == second else f"in {one} and {second} in {other}"
                message = f"{first} is {where}, and no host is both with {_them(first, second)} and without"
                yield Problem(other, message, f"in {one} or in {other}")


def _plain(terms: tuple[str, ...]) -> list[str]:
    """Terms, each said in one way."""
    return sorted({join_term(*split_term(term)) for term in terms})


def _is_within(near: str, away: str) -> bool:
    """Whether who is near by one term cannot be away by the other: on a host one is in all of its domains."""
    (whom, by), (other, domain) = split_term(near), split_term(away)
    return whom == other and by in (HOST, domain)


def _them(first: str, second: str) -> str:
    return "it" if first == second else split_term(first)[0]


def _host(request: Request) -> Iterator[Problem]:
    if request.host is not None and request.host in request.exclude:
        message = f"{request.host} is asked for by host and ruled out by exclude"
        yield Problem("host", message, "another host, or none")


def _spread(request: Request) -> Iterator[Problem]:
    for index, limit in enumerate(request.spread):
        here, term = f"spread.{index}", term_of_spread(request, limit.label)
        if term is None and limit.label is None:
            message = f"spread by {limit.by} counts the VMs of a group, and the VM is in none"
            yield Problem(here, message, "with a group, or with the label of VMs to count")
        elif term is None:
            message = f"spread by {limit.by} counts VMs by their label {limit.label}, which the VM has not"
            yield Problem(f"{here}.label", message, "a label of the VM")
        elif limit.at_most == 1:
            yield from _tied(request, join_term(term, limit.by), here)


def _tied(request: Request, term: str, field: str) -> Iterator[Problem]:
    """What wants VMs together of which a domain may have one."""
    whom, domain = split_term(term)
    near = (split_term(one)[1] for one in _plain(request.affinity) if _is_within(one, term))
    for by in sorted(near, key=lambda by: by != HOST)[:1]:
        message = f"affinity wants {whom} on one host" if by == HOST else f"affinity wants {whom} in one {by}"
        yield Problem(field, f"{message}, and spread wants 1 at most in each {domain}", "one of the two")


def _pinned(request: Request) -> Iterator[Problem]:
    if not request.pinned:
        return
    if not float(request.cpu).is_integer():
        message = f"pinned wants threads of its own, and cpu is {request.cpu:g}: a part of a thread is nobody's own"
        yield Problem("pinned", message, "a whole number of CPUs")
    elif request.numa and request.cpu % request.numa:
        message = f"pinned wants threads of its own, and numa deals {request.cpu:g} out over {request.numa} nodes"
        yield Problem("pinned", message, "as many CPUs on each node")
