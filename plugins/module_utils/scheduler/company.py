# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Company: which VMs are on which hosts, by the terms that they answer to, and what they claim of others.

A term but for ``vm:ID`` speaks of VMs of the asker's own project: what others call their groups and labels is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ..model.term import HOST, VM, join_term, split_term, terms_of, vm_term
from .arrays import np
from .claim import Claim, claims_of
from .domain import NONE, Domains
from .request import Request

if TYPE_CHECKING:
    from .arrays import Integers, Rows

    Vms = Mapping[str, tuple[int, Request, tuple[int, ...]]]

_NOBODY: Final[Mapping[int, int]] = {}


class Crowd:
    """Some VMs: how many of them are on which rows.

    ``changed`` tells when they are others: no two states of crowds that are kept together have the same.
    """

    __slots__ = ("_by_domain", "changed", "rows")

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.changed = 0
        # Made when somebody asks: there are as many crowds as labels, and most are one VM.
        self._by_domain: dict[str, Integers] | None = None

    def count(self, row: int, sign: int, changed: int, domains: Domains) -> None:
        """One more VM on a row, or one fewer."""
        self.changed = changed
        many = self.rows.get(row, 0) + sign
        if many:
            self.rows[row] = many
        else:
            del self.rows[row]
        for by, counts in () if self._by_domain is None else self._by_domain.items():
            counts[domains.of(by)[row]] += sign

    def in_domains(self, by: str, domains: Domains) -> Integers:
        """How many are in each domain. The last number is of hosts without any. To be read alone."""
        if self._by_domain is None:
            self._by_domain = {}
        counts = self._by_domain.get(by)
        if counts is None:
            numbers = domains.of(by)
            counts = np.zeros(int(numbers.max(initial=NONE)) + 2, dtype=np.int64)
            for row, many in self.rows.items():
                counts[numbers[row]] += many
            self._by_domain[by] = counts
        return counts


class Crowds:
    """Crowds by whom they are, or what they claim: a project and a term, or a project and a claim. One that nobody is
    in is not there."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains
        self._crowds: dict[tuple[str, str | Claim], Crowd] = {}
        self._changes = 0

    def find(self, project: str, thing: str | Claim) -> Crowd | None:
        return self._crowds.get((project, thing))

    def count(self, project: str, thing: str | Claim, row: int, sign: int) -> bool:
        """A VM of those came to a row, or left it. Whether it is the first of them, or was the last."""
        self._changes += 1
        crowd = self._crowds.get((project, thing))
        if crowd is None:
            crowd = self._crowds[project, thing] = Crowd()
            crowd.count(row, sign, self._changes, self._domains)
            return True
        crowd.count(row, sign, self._changes, self._domains)
        if crowd.rows:
            return False
        del self._crowds[project, thing]
        return True


class Company:
    """The VMs of a fleet by term. What they claim is counted from the start, since it may concern anybody; where whom
    is, from when somebody first asks.

    :param vms: the fleet's own, row, request and nodes by id.
    """

    def __init__(self, vms: Vms, domains: Domains) -> None:
        self._vms, self.domains = vms, domains
        self._there: Crowds | None = None
        self._claimants = Crowds(domains)
        # What is claimed, by project and whom: few claims, looked up for every request.
        self._claims: dict[tuple[str, str], tuple[Claim, ...]] = {}

    def count(self, row: int, request: Request, sign: int) -> None:
        """A VM came to a row, or left it."""
        for claim in claims_of(request):
            self._count_claim(_scope(request, claim.whom), claim, row, sign)
        if self._there is not None:
            self._count_there(self._there, row, request, sign)

    def where(self, request: Request, whom: str) -> Mapping[int, int]:
        """How many VMs of a term are on which rows, wherever they are. The asker itself is not among them, if it is
        there already.

        :param whom: a term without a domain.
        """
        crowd = self._crowd(request, whom)
        return _NOBODY if crowd is None else _without(crowd.rows, self._own_row(request, whom))

    def near(self, request: Request, term: str, rows: Rows) -> Integers:
        """For some rows, how many VMs of a term are in the host's domain, without the asker; ``NONE`` where it has
        none."""
        whom, by = split_term(term)
        return self._in_domain(self._crowd(request, whom), self._own_row(request, whom), by, rows)

    def stamp(self, request: Request, term: str) -> int:
        """Another number whenever :meth:`near` may say something else of hosts on which nothing changed."""
        whom, by = split_term(term)
        if by == HOST:
            return 0
        if whom.startswith(VM):
            return self._vms[whom.removeprefix(VM)][0] + 1 if whom.removeprefix(VM) in self._vms else 0
        crowd = self._crowd(request, whom)
        return 0 if crowd is None else crowd.changed

    def claims_on(self, request: Request) -> tuple[Claim, ...]:
        """What is claimed of a request by whoever is in the fleet, perhaps by itself."""
        if not self._claims:
            return ()
        return tuple(
            sorted(claim for called in _called(request) if called in self._claims for claim in self._claims[called])
        )

    def claimants(self, request: Request, claim: Claim, rows: Rows) -> Integers:
        """For some rows, how many VMs in the host's domain claim something of the asker, which is not one of them. A
        host without a domain is one by itself: who is there claims it of those who come there."""
        there = self._claimants.find(_scope(request, claim.whom), claim)
        place = None if request.vm is None else self._vms.get(request.vm)
        own = place[0] if place is not None and claim in claims_of(place[1]) else None
        return self._or_on_host(there, own, claim.by, rows)

    def beside(self, request: Request, claim: Claim, rows: Rows) -> Integers:
        """For some rows, how many VMs there are of those of whom something is claimed, counted likewise."""
        return self._or_on_host(self._crowd(request, claim.whom), self._own_row(request, claim.whom), claim.by, rows)

    def claims_stamp(self, request: Request, claim: Claim) -> tuple[int, int]:
        """Another pair whenever :meth:`claimants` and :meth:`beside` may say something else of hosts on which nothing
        changed."""
        if claim.by == HOST:
            return 0, 0
        there = self._claimants.find(_scope(request, claim.whom), claim)
        return 0 if there is None else there.changed, self.stamp(request, join_term(claim.whom, claim.by))

    def itself(self, request: Request) -> str | None:
        """The asker's id, if it is there already and may not be counted among the others."""
        if request.vm not in self._vms:
            return None
        return request.vm if _speaks_of_others(request) or self.claims_on(request) else None

    def _or_on_host(self, crowd: Crowd | None, own: int | None, by: str, rows: Rows) -> Integers:
        many = self._in_domain(crowd, own, by, rows)
        if by == HOST:
            return many
        return np.where(many == NONE, self._in_domain(crowd, own, HOST, rows), many)

    def _in_domain(self, crowd: Crowd | None, own: int | None, by: str, rows: Rows) -> Integers:
        """How many of a crowd are in each host's domain.

        :param own: the row of the asker, where it is one of them.
        """
        if by == HOST:
            return many_on_rows(_NOBODY if crowd is None else _without(crowd.rows, own), rows, len(self.domains))
        numbers = self.domains.of(by)
        counts: Integers | int = 0
        if crowd is not None:
            counts = crowd.in_domains(by, self.domains)
            if own is not None:
                counts = counts.copy()
                counts[numbers[own]] -= 1
            counts = counts[numbers[rows]]
        return np.where(numbers[rows] == NONE, NONE, counts)

    def _crowd(self, request: Request, whom: str) -> Crowd | None:
        if whom.startswith(VM):
            return self._alone(whom.removeprefix(VM))
        if self._there is None:
            self._there = Crowds(self.domains)
            for row, other, _nodes in self._vms.values():
                self._count_there(self._there, row, other, 1)
        return self._there.find(request.project, whom)

    def _alone(self, vm: str) -> Crowd | None:
        """A VM by itself."""
        place = self._vms.get(vm)
        if place is None:
            return None
        crowd = Crowd()
        crowd.count(place[0], 1, 0, self.domains)
        return crowd

    def _count_there(self, there: Crowds, row: int, request: Request, sign: int) -> None:
        for term in terms_of(None, request.group, request.labels):
            there.count(request.project, term, row, sign)

    def _count_claim(self, scope: str, claim: Claim, row: int, sign: int) -> None:
        if self._claimants.count(scope, claim, row, sign):
            known = {one for one in self._claims.get((scope, claim.whom), ()) if one != claim}
            known |= {claim} if sign > 0 else set()
            self._claims[scope, claim.whom] = tuple(sorted(known))
            if not known:
                del self._claims[scope, claim.whom]

    def _own_row(self, request: Request, whom: str) -> int | None:
        """The asker's row, if it is there already and counted by that term."""
        place = None if request.vm is None else self._vms.get(request.vm)
        if place is None:
            return None
        row, there, _nodes = place
        if whom.startswith(VM):
            return row if whom == vm_term(str(request.vm)) else None
        counted = there.project == request.project and whom in terms_of(None, there.group, there.labels)
        return row if counted else None


def _called(request: Request) -> Iterator[tuple[str, str]]:
    """All that a request may be called, each with the project in which it is."""
    for term in terms_of(request.vm, request.group, request.labels):
        yield _scope(request, term), term


def _scope(request: Request, term: str) -> str:
    """In which project a term means what it means; VMs have one name in all of them."""
    return "" if term.startswith(VM) else request.project


def _speaks_of_others(request: Request) -> bool:
    return bool(
        request.spread or request.affinity or request.anti_affinity or request.prefer_with or request.prefer_apart
    )


def _without(rows: Mapping[int, int], row: int | None) -> Mapping[int, int]:
    if row is None:
        return rows
    left = dict(rows)
    left[row] -= 1
    if not left[row]:
        del left[row]
    return left


def many_on_rows(there: Mapping[int, int], rows: Rows, hosts: int) -> Integers:
    """How many are there, for some rows of a fleet of so many hosts."""
    if not isinstance(rows, slice):
        return np.array([there.get(row, 0) for row in rows.tolist()], dtype=np.int64)
    many = np.zeros(hosts, dtype=np.int64)
    if there:
        many[np.fromiter(there, np.intp, len(there))] = np.fromiter(there.values(), np.int64, len(there))
    return many[rows]
