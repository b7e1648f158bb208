# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Emptying hosts so that they may sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arrays import np
from ..fleet import Fleet
from ..policy import PACK, Policy
from .departure import depart
from .draft import Draft
from .floor import Floor
from .order import put_in_order
from .plan import Plan

if TYPE_CHECKING:
    from ..arrays import Mask, Vector


def consolidate(fleet: Fleet, policy: Policy = PACK, *, now: float, floor: Floor | None = None) -> Plan:
    """Plan how to empty the hosts that save the most watts. Pure: the fleet stays as it is.

    A host is emptied as a whole or left alone: one with a VM that may not move, or that nobody else would take, stays
    on. Hosts on which nothing is are not filled. Where the policy wants that any one host may fail, those that stay on
    have room for it. A host's watts are those that it says it draws, else what is usual for
    its threads; see ``power_columns``. One that is empty is taken to sleep and to draw nothing.

    :param now: Unix seconds, as rules read them.
    :param floor: what has to stay on.
    :returns: a plan whose ``after`` names the hosts that may sleep, ``asleep``.
    """
    return _Consolidation(fleet, policy, now, floor or Floor()).run()


class _Consolidation:
    def __init__(self, fleet: Fleet, policy: Policy, now: float, floor: Floor) -> None:
        self._fleet, self._floor = fleet, floor
        self._draft = Draft(fleet, policy, now)
        # Hosts that may be switched off and on: that take VMs.
        self._ours: Mask = self._draft.fleet.placeable & ~self._draft.fleet.cordoned
        self._off: Mask = self._ours & ~self._occupied()
        for row in np.flatnonzero(self._off).tolist():
            self._close(self._draft, row)
        self._keep_awake()

    def run(self) -> Plan:
        before = self._figures()
        for row in self._worth_most_first():
            self._empty(row)
        draft = self._shortened()
        return Plan(tuple(draft.moves), (), before, self._figures())

    def _occupied(self) -> Mask:
        """Hosts on which something is, be it no VM of ours."""
        fleet = self._draft.fleet
        mask: Mask = (fleet.cpu_used > 0) | (fleet.ram_used > 0) | (fleet.disk_used > 0)
        return mask

    def _watts(self) -> Vector:
        """What each host draws."""
        power = self._draft.board().power
        drawn: Vector = np.where(self._off, 0.0, power.idle + power.each * self._draft.fleet.cpu_used)
        return drawn

    def _figures(self) -> dict[str, Any]:
        hosts = self._draft.fleet.hosts
        asleep = [hosts[row].id for row in np.flatnonzero(self._off).tolist()]
        on = int((self._ours & ~self._off).sum())
        return {"watts": round(float(self._watts().sum()), 1), "on": on, "asleep": asleep}

    def _keep_awake(self) -> None:
        """Let empty hosts stay on as far as the floor needs them, those that draw the least first."""
        idle = self._draft.board().power.idle
        for row in sorted(np.flatnonzero(self._off).tolist(), key=lambda row: (idle[row], row)):
            if self._holds(self._off):
                return
            self._off[row] = False
            self._draft.fleet.open(self._draft.fleet.hosts[row].id)

    def _holds(self, off: Mask) -> bool:
        """Whether enough stays on."""
        draft, on = self._draft, self._ours & ~off
        board = draft.board()
        if int(on.sum()) < self._floor.hosts or draft.is_short:
            return False
        for limit, used in ((board.cpu_limit, draft.fleet.cpu_used), (board.ram_limit, draft.fleet.ram_used)):
            # VMs on hosts that are to be emptied will be on the others.
            if float(used[self._ours].sum()) > (1 - self._floor.headroom) * float(limit[on].sum()):
                return False
        return True

    def _worth_most_first(self) -> list[int]:
        """Hosts that are on, by the watts that emptying each would save, and by how little would have to move."""
        draft = self._draft
        on = np.flatnonzero(self._ours & ~self._off & self._occupied()).tolist()
        idle, ram = draft.board().power.idle, draft.fleet.ram_used
        return sorted(on, key=lambda row: (-idle[row], ram[row], row))

    def _empty(self, row: int) -> None:
        """Empty a host if that saves enough, and all of its VMs find others."""
        draft, host = self._draft, self._draft.fleet.hosts[row].id
        off = self._off.copy()
        off[row] = True
        vms = draft.vms_on(host)
        if not self._holds(off) or not all(draft.may_move(vm) for vm in vms):
            return
        length, watts = len(draft.moves), float(self._watts().sum())
        draft.fleet.close(host)
        stays = depart(draft, vms)
        self._off[row] = True
        saved = watts - float(self._watts().sum())
        if stays or self._occupied()[row] or saved < self._floor.watts or draft.is_short:
            draft.undo(length)
            self._off[row] = False
            draft.fleet.open(host)

    def _shortened(self) -> Draft:
        """The same outcome with each VM moved once, where that can be done with fewer moves."""
        draft = self._draft
        last = {move.vm: move.target for move in draft.moves}
        if len(last) == len(draft.moves):
            return draft
        shorter = Draft(self._fleet, draft.policy, draft.now)
        for row in np.flatnonzero(self._off).tolist():
            self._close(shorter, row)
        stuck = put_in_order(shorter, [(vm, host) for vm, host in last.items() if self._fleet.where(vm) != host])
        return draft if stuck or len(shorter.moves) >= len(draft.moves) else shorter

    def _close(self, draft: Draft, row: int) -> None:
        draft.fleet.close(draft.fleet.hosts[row].id)
