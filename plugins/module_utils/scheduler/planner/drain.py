# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Emptying a host that works, for repair or for good."""

from __future__ import annotations

from ..fleet import Fleet
from ..policy import BALANCED, Policy
from .departure import depart
from .draft import Draft
from .occupancy import occupancy
from .plan import Plan


def drain(fleet: Fleet, host: str, policy: Policy = BALANCED, *, now: float) -> Plan:
    """Plan how all VMs leave a host, which takes no others meanwhile. Pure: the fleet stays as it is.

    Also VMs that do not run move, since they could not be started there. Those whose request names the host, or whose
    CPUs are pinned, stay, and so do those that nobody would take; the plan says why.

    :param now: Unix seconds, as rules read them.
    :raises InputError: when there is no such host.
    """
    draft = Draft(fleet, policy, now)
    draft.check_host(host)
    draft.fleet.close(host)
    leaving = draft.vms_on(host)
    before = occupancy(draft, len(leaving))
    stays = depart(draft, leaving)
    return Plan(tuple(draft.moves), tuple(stays), before, occupancy(draft, len(draft.vms_on(host))))
