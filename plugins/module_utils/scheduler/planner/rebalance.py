# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Making a fleet more even, one move after the other, each the best there is."""

from __future__ import annotations

from ..fleet import Fleet
from ..policy import BALANCED, Policy
from .aim import Aim
from .departure import hardest_first
from .draft import Draft
from .objective import Balance, Ledger
from .order import put_in_order
from .plan import Plan, Stay
from .steepest import Steepest


def rebalance(fleet: Fleet, policy: Policy = BALANCED, *, now: float, aim: Aim | None = None) -> Plan:
    """Plan moves after which a fleet's score is lower; see ``objective``. Pure: the fleet stays as it is.

    First VMs leave the hosts that a hard rule would not have them on, then each move is the one that lowers the score
    the most for its cost, until none gains as much as it has to. Planned again after that, there is nothing to move.

    A VM stays where it is while it does not run, where its request names its host, and where its CPUs are pinned; so do
    those on hosts that do not work.

    :param now: Unix seconds, as rules read them.
    :param aim: how far to go.
    """
    aim = aim or Aim()
    draft = Draft(fleet, policy, now)
    everyone = fleet.vms()
    misplaced = {vm for vm in everyone if draft.faults(vm)}
    before = Ledger(fleet).balance(len(misplaced))
    search = Steepest(draft, [vm for vm in everyone if draft.may_move(vm)], aim)
    _correct(draft, search, misplaced, aim)
    _descend(draft, search, aim)
    while _correct(draft, search, misplaced, aim):
        _descend(draft, search, aim)
    draft = _shortened(fleet, draft, aim)
    still = [vm for vm in everyone if draft.faults(vm)]
    after = Ledger(draft.fleet).balance(len(still))
    return Plan(tuple(draft.moves), _stays(draft, still), before.to_mapping(), after.to_mapping())


def balance_of(fleet: Fleet, policy: Policy = BALANCED, *, now: float) -> Balance:
    """The score of a fleet as it is."""
    draft = Draft(fleet, policy, now)
    return Ledger(fleet).balance(sum(1 for vm in fleet.vms() if draft.faults(vm)))


def _correct(draft: Draft, search: Steepest, misplaced: set[str], aim: Aim) -> bool:
    """Move VMs off the hosts that a hard rule would not have them on, the largest first: few may be enough.

    Whether any was moved.
    """
    made = len(draft.moves)
    movable = misplaced.intersection(search.vms)
    for vm in sorted(movable, key=lambda vm: (*hardest_first(draft, vm), vm)):
        if aim.at_most is not None and len(draft.moves) >= aim.at_most:
            break
        if draft.faults(vm):
            row = search.best_of(vm, draft.accepting(vm))
            if row is not None and draft.takes(vm, draft.fleet.hosts[row].id):
                _make(draft, search, vm, row)
    return len(draft.moves) > made


def _descend(draft: Draft, search: Steepest, aim: Aim) -> None:
    """Move by move down the steepest way."""
    while aim.at_most is None or len(draft.moves) < aim.at_most:
        if search.score() <= aim.until:
            return
        found = search.best()
        if found is not None:
            _make(draft, search, found.vm, found.row)
        # Moves may have made room where there was none when it was asked for.
        elif not search.forget():
            return


def _make(draft: Draft, search: Steepest, vm: str, row: int) -> None:
    draft.move(vm, draft.fleet.hosts[row].id)
    search.moved(vm, row)


def _shortened(fleet: Fleet, draft: Draft, aim: Aim) -> Draft:
    """The same outcome with each VM moved once, where that can be done with fewer moves."""
    last = {move.vm: move.target for move in draft.moves}
    if len(last) == len(draft.moves):
        return draft
    targets = [(vm, host) for vm, host in last.items() if fleet.where(vm) != host]
    shorter = Draft(fleet, draft.policy, draft.now)
    stuck = put_in_order(shorter, targets)
    if stuck or len(shorter.moves) >= len(draft.moves):
        return draft
    # On NUMA nodes they may lie otherwise now; there must still be nothing more to gain.
    search = Steepest(shorter, [vm for vm in fleet.vms() if shorter.may_move(vm)], aim)
    return shorter if search.best() is None or search.score() <= aim.until else draft


def _stays(draft: Draft, misplaced: list[str]) -> tuple[Stay, ...]:
    stays = []
    for vm in misplaced:
        why = draft.why_fixed(vm)
        stays.append(draft.stay(vm) if why is None else Stay(vm, draft.where(vm), why))
    return tuple(stays)
