# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A fleet on which moves are tried before anybody makes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ...model.errors import InputError, Problem
from ...model.host import REACHABLE
from ...model.reason import Reason
from ...model.term import split_term, terms_of
from ..board import Board
from ..fleet import Fleet
from ..pipeline import Scheduler
from ..policy import Policy
from ..request import Request
from ..sheet import REFUSED
from .plan import Move, Stay

if TYPE_CHECKING:
    from ..arrays import Mask, Vector

# What is asked before a VM comes to a host, and no fault of one that is there already. That the fleet could not bear
# the loss of a host is no single VM's fault either.
_FAILURE: Final = "n_plus_one"
_ON_ARRIVAL: Final = frozenset({"ready", "cordon", "requested", "excluded", "metrics", "creates", _FAILURE})


@dataclass(frozen=True)
class Place:
    """Where a VM is: its host, and the NUMA nodes there."""

    host: str
    nodes: tuple[int, ...]


class Draft:
    """A copy of a fleet, and the moves made on it so far.

    A VM that moves counts nowhere while it is asked who would take it: it is one VM, not two. Its room on the host that
    it leaves is no other's before it has left, since moves are made one after the other.

    :param now: Unix seconds, as rules read them.
    """

    def __init__(self, fleet: Fleet, policy: Policy, now: float) -> None:
        self.fleet, self.policy, self.now = fleet.copy(), policy, now
        self.not_running = frozenset(fleet.not_running)
        self.scheduler = Scheduler(self.fleet, policy)
        self.moves: list[Move] = []
        # VMs that are nowhere, with the place that they left.
        self._lifted: dict[str, tuple[Place, Request]] = {}
        # Those of them that have no place to be put back to: their host is dead.
        self._lost: set[str] = set()
        # Who looks whether any one host could fail, where the policy asks for that, and what it said last.
        self._watch = Board(self.fleet, policy.limits) if policy.asks_for(_FAILURE) else None
        self._short = False
        # For each move the place that was left, and whether the VM was lost until then.
        self._left: list[tuple[Place, bool]] = []
        self._residents: dict[str, set[str]] = {host.id: set() for host in self.fleet.hosts}
        self._followers: dict[str, list[str]] = {}
        for vm in self.fleet.vms():
            self._residents[self.where(vm)].add(vm)
            for term in self.fleet.request_of(vm).affinity:
                self._followers.setdefault(split_term(term)[0], []).append(vm)

    def board(self) -> Board:
        """The fleet as it is now, by the policy's figures."""
        return Board(self.fleet, self.policy.limits)

    @property
    def is_careful(self) -> bool:
        """Whether the policy wants that any one host may fail."""
        return self._watch is not None

    @property
    def is_short(self) -> bool:
        """Whether some host could not fail, which the policy wants, and which no move may make worse."""
        if self._watch is not None and not self._lifted:
            self._short = self._watch.absorption.short
        return self._short

    def check_host(self, host: str) -> None:
        """Refuse a host that there is not.

        :raises InputError: naming those that there are.
        """
        if host not in self.fleet.rows:
            known = ", ".join(self.fleet.rows) or "no host: the fleet has none"
            raise InputError([Problem("host", f"{host!r} is not among the hosts", known)])

    def request_of(self, vm: str) -> Request:
        """What a VM asked for, whether it is somewhere or not."""
        return self._lifted[vm][1] if vm in self._lifted else self.fleet.request_of(vm)

    def where(self, vm: str) -> str:
        """The host that a VM is on, or was on last."""
        return self._lifted[vm][0].host if vm in self._lifted else str(self.fleet.where(vm))

    def vms_on(self, host: str) -> list[str]:
        """The VMs on a host, by id."""
        return sorted(self._residents[host])

    def followers(self, vm: str) -> list[str]:
        """The VMs whose affinity names a VM, by id."""
        if not self._followers:
            return []
        request = self.request_of(vm)
        terms = terms_of(vm, request.group, request.labels)
        return sorted({one for term in terms for one in self._followers.get(term, ())} - {vm})

    def is_counted(self, vm: str) -> bool:
        """Whether VMs that are there allow so many of its kind, so that what hosts say to it depends on where it is."""
        return any(claim.at_most for claim in self.fleet.company.claims_on(self.request_of(vm)))

    def why_fixed(self, vm: str) -> Reason | None:
        """Why a VM may not be moved, whatever other hosts say; None when it may."""
        request, host = self.request_of(vm), self.where(vm)
        if request.host is not None:
            return Reason("requested", f"{request.host} was asked for", {"requested": request.host})
        if request.pinned:
            return Reason("pinned", "its CPUs are pinned")
        state = self.fleet.hosts[self.fleet.rows[host]].state
        if state not in REACHABLE:
            return Reason("reachable", f"{host} is {state}, so nothing can be moved off it", {"state": state})
        return None

    def may_move(self, vm: str) -> bool:
        """Whether a VM may be moved for the fleet's good: it runs, and nothing holds it."""
        return vm not in self.not_running and self.why_fixed(vm) is None

    def accepting(self, vm: str) -> Mask:
        """Which hosts would take a VM, by row; the one that it is on among them, if it would."""
        with self.without(vm) as request:
            mask: Mask = self.scheduler.ranks(self._moving(vm, request), now=self.now) != REFUSED
            return mask

    def ever_accepting(self, vm: str) -> Mask:
        """Which hosts might take a VM whatever others come and go, by row."""
        return self.scheduler.standing(self.request_of(vm), now=self.now)

    def choose(self, vm: str, avoiding: Collection[str] = (), request: Request | None = None) -> str | None:
        """The host that the policy likes best for a VM, other than its own; None when all refuse.

        :param avoiding: further hosts that will not do.
        :param request: what it asks for, where that is not what it asked for at first.
        """
        with self.without(vm) as asked:
            ranks: Vector = self.scheduler.ranks(self._moving(vm, request or asked), now=self.now).copy()
        for host in (self.where(vm), *avoiding):
            ranks[self.fleet.rows[host]] = REFUSED
        row = int(ranks.argmax())
        return None if ranks[row] == REFUSED else self.fleet.hosts[row].id

    def takes(self, vm: str, host: str) -> bool:
        """Whether a VM may be moved to a host: it takes it, and nobody is left behind who has to be with it."""
        if not self.accepting(vm)[self.fleet.rows[host]]:
            return False
        content = [one for one in self.followers(vm) if not self.faults(one)]
        if not content:
            return True
        self.move(vm, host)
        left_behind = any(self.faults(one) for one in content)
        self.undo(len(self.moves) - 1)
        return not left_behind

    def faults(self, vm: str) -> tuple[Reason, ...]:
        """What speaks against a VM's being where it is. Nothing does against one that is nowhere."""
        if vm in self._lifted:
            return ()
        host = self.where(vm)
        with self.without(vm) as request:
            reasons = self.scheduler.reasons(request, host, now=self.now)
        return tuple(reason for reason in reasons if reason.rule not in _ON_ARRIVAL)

    def too_much(self, vm: str, host: str) -> Reason | None:
        """Why some host could fail less well with a VM on another host than it is on; None when none could."""
        with self.without(vm) as request:
            reasons = self.scheduler.reasons(self._moving(vm, request), host, now=self.now)
        return next((reason for reason in reasons if reason.rule == _FAILURE), None)

    def stay(self, vm: str) -> Stay:
        """Why a VM stays where it is: what each other host says against it."""
        host = self.where(vm)
        with self.without(vm) as request:
            refused = self.scheduler.place(self._moving(vm, request), now=self.now).refused
        return Stay(vm, host, refused=tuple(one for one in refused if one.host != host))

    def move(self, vm: str, host: str) -> None:
        """Move a VM. Whether it may, the caller has asked.

        :raises ValueError: when no NUMA nodes there have room for it.
        """
        self.lift(vm)
        place, request = self._lifted[vm]
        self.scheduler.settle(vm, host, request)
        del self._lifted[vm]
        self._residents[host].add(vm)
        self.moves.append(Move(vm, place.host, host))
        self._left.append((place, vm in self._lost))
        self._lost.discard(vm)

    def undo(self, length: int) -> None:
        """Take moves back, until so many are left."""
        while len(self.moves) > length:
            move, (place, lost) = self.moves.pop(), self._left.pop()
            self.lift(move.vm)
            if lost:
                self._lost.add(move.vm)
            self._lifted[move.vm] = place, self._lifted[move.vm][1]
            self.put_back(move.vm)

    def lift(self, vm: str) -> bool:
        """Take a VM away, until it is moved or put back. Whether it was somewhere."""
        if vm in self._lifted:
            return False
        self._short = self.is_short
        place = Place(self.where(vm), self.fleet.nodes_of(vm))
        self._lifted[vm] = place, self.fleet.request_of(vm)
        self._residents[place.host].discard(vm)
        self.fleet.remove(vm)
        return True

    def lose(self, vm: str) -> None:
        """Take a VM away that has nowhere to be put back to."""
        self.lift(vm)
        self._lost.add(vm)

    def is_lost(self, vm: str) -> bool:
        """Whether a VM has nowhere to be put back to."""
        return vm in self._lost

    def put_back(self, vm: str) -> None:
        """Put a VM back where it was; one that is lost stays away."""
        if vm in self._lifted and vm not in self._lost:
            place, request = self._lifted.pop(vm)
            self._residents[place.host].add(vm)
            self.fleet.add(vm, place.host, request, place.nodes)

    def _moving(self, vm: str, request: Request) -> Request:
        """What a VM asks for that moves, in a fleet that is short already."""
        return replace(request, source=self.where(vm)) if self._short and vm not in self._lost else request

    @contextmanager
    def without(self, vm: str) -> Iterator[Request]:
        """The fleet without a VM, for a moment."""
        request, there = self.request_of(vm), self.lift(vm)
        try:
            yield request
        finally:
            if there:
                self.put_back(vm)
