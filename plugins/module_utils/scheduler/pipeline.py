# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Placement: filters refuse, scorers rank, the host's name breaks ties."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from .account import Account
from .board import Board
from .decision import Decision
from .fleet import Fleet
from .mix import Mix
from .obstacle import Obstacle, obstacles_on
from .policy import BALANCED, Policy
from .preemption import Preemption, Spared, Victim, left_behind, name_of_disks, nobody, plan_preemption
from .remedy import Trial
from .request import Request
from .rule import Ask
from .sheet import REFUSED, Sheet
from .slots import SlotBook

if TYPE_CHECKING:
    from ..model.reason import Reason
    from .arrays import Mask, Vector

# Sheets kept: kinds of requests that are told apart before the one not asked for longest is forgotten.
_KEPT: Final = 64


def place(fleet: Fleet, request: Request, policy: Policy = BALANCED, *, now: float) -> Decision:
    """Choose a host, and say why. Pure: the same four arguments give the same decision.

    :param now: Unix seconds, against which the age of measurements is told.
    :returns: a decision in which every host of the fleet appears once, accepted or refused. ``host`` is None when all
        refuse; nothing is raised.
    """
    return Scheduler(fleet, policy).place(request, now=now)


class Scheduler:
    """A policy at work on a fleet: answers as :func:`place` does, and remembers what it has computed.

    The fleet may change between answers through its own methods.
    """

    def __init__(self, fleet: Fleet, policy: Policy = BALANCED) -> None:
        self.fleet, self.policy = fleet, policy
        self._board = Board(fleet, policy.limits)
        self._slots = SlotBook(self._board, fleet.mix)
        self._sheets: OrderedDict[tuple[object, ...], Sheet] = OrderedDict()

    @property
    def counts_creates(self) -> bool:
        """Whether it matters to the policy how many VMs are being created where."""
        return self._board.limits_creates

    def choose(self, request: Request, *, now: float) -> str | None:
        """The host alone; None when all refuse."""
        chosen = self.choose_scored(request, now=now)
        return None if chosen is None else chosen[0]

    def choose_scored(self, request: Request, *, now: float) -> tuple[str, float] | None:
        """The host alone, with its score, 0 to 1; None when all refuse."""
        sheet = self._sheet(self._ask(request, now))
        row = self._best(sheet)
        return None if row is None else (self.fleet.hosts[row].id, sheet.ranks[row].item())

    def place_on(self, request: Request, host: str, *, now: float) -> Decision:
        """A decision for a host that was chosen for other reasons than its score, as in a batch.

        :raises ValueError: when that host refuses.
        """
        score = self.ranks(request, now=now)[self.fleet.rows[host]].item()
        if score == REFUSED:
            words = "; ".join(reason.message for reason in self.reasons(request, host, now=now))
            raise ValueError(f"{host} refuses: {words}")
        return self._decision(request, (host, score), now)

    def place(self, request: Request, *, now: float, preempt: bool = False, spared: Spared = nobody) -> Decision:
        """The host with each host's reasons; see :func:`place`.

        :param preempt: whether a request that fits nowhere is given a host that others would have to leave, where the
            policy lets it take their place. Who asks for that has to see to it that they do: ``Decision.preempts``.
        :param spared: says of a VM whether it does not have to leave, whatever its priority.
        """
        chosen = self.choose_scored(request, now=now)
        plan = self.preempt(request, now=now, spared=spared) if preempt and chosen is None else None
        if plan is None:
            return self._decision(request, chosen, now)
        return self._decision(request, (plan.host, plan.score), now, plan.victims)

    def _decision(
        self, request: Request, chosen: tuple[str, float] | None, now: float, preempts: tuple[Victim, ...] = ()
    ) -> Decision:
        host, score = chosen or (None, None)
        return Decision(
            request=request,
            host=host,
            score=score,
            policy=self.policy.name,
            policy_version=self.policy.version,
            at=now,
            recall=self._recall(request, now),
            preempts=preempts,
        )

    def preempt(self, request: Request, *, now: float, spared: Spared = nobody) -> Preemption | None:
        """Which VMs would have to leave a host so that a request that fits nowhere fits there.

        :returns: None when it fits, when the policy does not let it take the place of others, or when not enough of
            them may leave.
        """
        precedence = self.policy.of(request.project).preemption
        if precedence is None or not precedence.applies(request):
            return None
        ask = self._ask(request, now)
        sheet = self._sheet(ask)
        if self._best(sheet) is not None:
            return None
        return plan_preemption(ask, sheet, precedence, _Absence(self, request, now), spared)

    def obstacles(self, request: Request, *, now: float) -> tuple[Obstacle, ...]:
        """Which rules refuse how many hosts to a request: what :meth:`place` says of each host, counted."""
        ask = self._ask(request, now)
        return obstacles_on(ask, self._sheet(ask))

    def take(self, vm: str, host: str, request: Request) -> None:
        """Give a VM its room on a host, on the NUMA nodes where it costs the least."""
        self.settle(vm, host, request)
        self.fleet.mix.note(request)

    def settle(self, vm: str, host: str, request: Request) -> None:
        """The same for a VM that nobody asks for: one that is there already, or moves."""
        self._board.refresh()
        self.fleet.add(vm, host, request, self._slots.nodes(request, self.fleet.rows[host]))

    def ranks(self, request: Request, *, now: float) -> Vector:
        """Each host's score, by row; ``REFUSED`` for those that will not do. The next answer may overwrite it."""
        return self._sheet(self._ask(request, now)).ranks

    def standing(self, request: Request, *, now: float) -> Mask:
        """The hosts that would do, by row, as far as rules go that say the same whatever VMs come and go."""
        return self._sheet(self._ask(request, now)).standing

    def reasons(self, request: Request, host: str, *, now: float) -> tuple[Reason, ...]:
        """Why a host will not do: every rule that says so; none when it would."""
        ask = self._ask(request, now)
        return self._sheet(ask).reasons(ask, self.fleet.rows[host])

    def _recall(self, request: Request, now: float) -> Callable[[], Account]:
        """What gives the account of an answer given now, whenever it is asked for."""
        moment, shares = self.fleet.moment, self.fleet.mix.shares

        def recall() -> Account:
            if self.fleet.moment is moment and self.fleet.mix.shares is shares:
                return self._account(request, now)
            past = self.fleet.as_of(moment)
            past.mix = Mix.of(shares)
            return Scheduler(past, self.policy)._account(request, now)

        return recall

    def _account(self, request: Request, now: float) -> Account:
        ask = self._ask(request, now)
        return Account(ask, self._sheet(ask), self._trial(now))

    def _trial(self, now: float) -> Trial:
        def decide(fleet: Fleet, request: Request) -> str | None:
            scheduler = self if fleet is self.fleet else Scheduler(fleet, self.policy)
            return scheduler.choose(request, now=now)

        return decide

    def _ask(self, request: Request, now: float) -> Ask:
        self._board.refresh()
        return Ask(self.fleet, self._board, self._slots, request, now, self.fleet.company.claims_on(request))

    def _sheet(self, ask: Ask) -> Sheet:
        rules = self.policy.of(ask.request.project)
        weights = rules.weights_at(self._board.fill()) if rules.turns else rules.weights
        itself = self.fleet.company.itself(ask.request)
        key = (*ask.request.key, ask.claims, itself, weights is rules.weights)
        sheet = self._sheets.get(key)
        if sheet is None:
            sheet = self._sheets[key] = Sheet(ask, rules.filters, weights)
            if len(self._sheets) > _KEPT:
                self._sheets.popitem(last=False)
        else:
            self._sheets.move_to_end(key)
        sheet.refresh(ask)
        return sheet

    def _best(self, sheet: Sheet) -> int | None:
        """The row of the highest score; the first of several, since rows are in the order of names."""
        if not len(self.fleet):
            return None
        row = int(sheet.ranks.argmax())
        return None if sheet.ranks[row] == REFUSED else row


class _Absence:
    """Tries a request on a fleet in which some VMs are off: on a copy, made when it is first needed."""

    def __init__(self, scheduler: Scheduler, request: Request, now: float) -> None:
        self._of, self._request, self._now = scheduler, request, now
        self._scheduler: Scheduler | None = None

    def __call__(self, host: str, vms: tuple[str, ...]) -> float | None:
        if self._scheduler is None:
            self._scheduler = Scheduler(self._of.fleet.copy(), self._of.policy)
        fleet = self._scheduler.fleet
        disks = [(name_of_disks(vm), left_behind(fleet.request_of(vm))) for vm in vms]
        with fleet.without(vms):
            for name, request in disks:
                fleet.add(name, host, request)
            score = self._scheduler.ranks(self._request, now=self._now)[fleet.rows[host]].item()
            for name, _request in disks:
                fleet.remove(name)
        return None if score == REFUSED else score
