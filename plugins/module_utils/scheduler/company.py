# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Company: which VMs are on which hosts, by the terms that they answer to, and who keeps away from whom.

A term but for ``vm:ID`` speaks of VMs of the asker's own project: what others call their groups and labels is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ..model.term import VM, group_term, label_term, terms_of
from .arrays import np
from .domain import NONE, Domains
from .request import Request

if TYPE_CHECKING:
    from .arrays import Integers, Mask, Rows

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
    """Crowds by project and term. One that nobody is in is not there."""

    def __init__(self, domains: Domains) -> None:
        self._domains = domains
        self._by_project: dict[str, dict[str, Crowd]] = {}
        self._changes = 0

    def __bool__(self) -> bool:
        return bool(self._by_project)

    def find(self, project: str, term: str) -> Crowd | None:
        crowds = self._by_project.get(project)
        return None if crowds is None else crowds.get(term)

    def knows(self, project: str) -> bool:
        """Whether there is any of that project."""
        return project in self._by_project

    def count(self, project: str, term: str, row: int, sign: int) -> None:
        """A VM of a term came to a row, or left it."""
        self._changes += 1
        crowds = self._by_project.setdefault(project, {})
        crowd = crowds.get(term)
        if crowd is None:
            crowd = crowds[term] = Crowd()
        crowd.count(row, sign, self._changes, self._domains)
        if not crowd.rows:
            del crowds[term]
            if not crowds:
                del self._by_project[project]


class Company:
    """The VMs of a fleet by term. Who keeps away from whom is counted from the start, since it may concern anybody;
    where whom is, from when somebody first asks.

    :param vms: the fleet's own, row, request and nodes by id.
    """

    def __init__(self, vms: Vms, domains: Domains) -> None:
        self._vms, self.domains = vms, domains
        self._there: Crowds | None = None
        self._averse = Crowds(domains)

    def count(self, row: int, request: Request, sign: int) -> None:
        """A VM came to a row, or left it."""
        for term in request.anti_affinity:
            self._averse.count(_scope(request, term), term, row, sign)
        if self._there is not None:
            self._count_there(self._there, row, request, sign)

    def with_term(self, request: Request, term: str) -> Mapping[int, int]:
        """How many VMs of a term are on which rows. The asker itself is not among them, if it is there already."""
        if term.startswith(VM):
            place = self._vms.get(term.removeprefix(VM))
            return _NOBODY if place is None or term == f"{VM}{request.vm}" else {place[0]: 1}
        crowd = self._crowd(request, term)
        return _NOBODY if crowd is None else _without(crowd.rows, self._own_row(request, term))

    def in_domain(self, request: Request, term: str, by: str) -> Integers:
        """For each host, how many VMs of a term are in its domain, by row; -1 where a host has none. Without the
        asker."""
        numbers = self.domains.of(by)
        crowd = self._crowd(request, term)
        if crowd is None:
            return np.where(numbers == NONE, NONE, 0)
        counts = crowd.in_domains(by, self.domains)
        row = self._own_row(request, term)
        if row is not None:
            counts = counts.copy()
            counts[numbers[row]] -= 1
        return np.where(numbers == NONE, NONE, counts[numbers])

    def stamp(self, request: Request, term: str) -> int:
        """Another number whenever where the VMs of a term are is another; ``vm:ID`` not counted."""
        crowd = self._crowd(request, term)
        return 0 if crowd is None else crowd.changed

    def averse_to(self, request: Request) -> tuple[str, ...]:
        """The asker's own terms from which somebody in the fleet keeps away."""
        averse = self._averse
        if not averse:
            return ()
        terms = [] if not averse.knows(request.project) else list(terms_of(None, request.group, request.labels))
        found = [term for term in terms if averse.find(request.project, term) is not None]
        if request.vm is not None and averse.find("", f"{VM}{request.vm}") is not None:
            found.append(f"{VM}{request.vm}")
        return tuple(sorted(found))

    def averse(self, request: Request, term: str) -> Mapping[int, int]:
        """How many VMs that keep away from a term are on which rows, without the asker."""
        crowd = self._averse.find(_scope(request, term), term)
        if crowd is None:
            return _NOBODY
        place = None if request.vm is None else self._vms.get(request.vm)
        return _without(crowd.rows, place[0] if place is not None and term in place[1].anti_affinity else None)

    def itself(self, request: Request) -> str | None:
        """The asker's id, if it is there already and may not be counted among the others."""
        return request.vm if request.vm in self._vms and _speaks_of_others(request) else None

    def _crowd(self, request: Request, term: str) -> Crowd | None:
        if self._there is None:
            self._there = Crowds(self.domains)
            for row, other, _nodes in self._vms.values():
                self._count_there(self._there, row, other, 1)
        return self._there.find(request.project, term)

    def _count_there(self, there: Crowds, row: int, request: Request, sign: int) -> None:
        for term in terms_of(None, request.group, request.labels):
            there.count(request.project, term, row, sign)

    def _own_row(self, request: Request, term: str) -> int | None:
        """The asker's row, if it is there already and counted by that term."""
        place = None if request.vm is None else self._vms.get(request.vm)
        if place is None:
            return None
        there = place[1]
        counted = there.project == request.project and term in terms_of(None, there.group, there.labels)
        return place[0] if counted else None


def term_of_spread(request: Request, label: str | None) -> str | None:
    """Which VMs a limit counts: those of the request's group, or with its value of a label; None if it has neither."""
    if label is None:
        return None if request.group is None else group_term(request.group)
    value = request.labels.get(label)
    return None if value is None else label_term(label, value)


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


def on_rows(there: Mapping[int, int], rows: Rows, hosts: int) -> Mask:
    """Whether anybody is there, for some rows of a fleet of so many hosts."""
    mask: Mask = many_on_rows(there, rows, hosts) > 0
    return mask


def many_on_rows(there: Mapping[int, int], rows: Rows, hosts: int) -> Integers:
    """How many are there, for some rows of a fleet of so many hosts."""
    if not isinstance(rows, slice):
        return np.array([there.get(row, 0) for row in rows.tolist()], dtype=np.int64)
    many = np.zeros(hosts, dtype=np.int64)
    if there:
        many[np.fromiter(there, np.intp, len(there))] = np.fromiter(there.values(), np.int64, len(there))
    return many[rows]
