# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Finding new hosts for the VMs of a host that died."""

from __future__ import annotations

from dataclasses import replace

from ...model.reason import Reason
from ..fleet import Fleet
from ..policy import BALANCED, Policy
from .convoy import convoys
from .departure import hardest_first, leave
from .draft import Draft
from .occupancy import occupancy
from .plan import Plan, Stay


def evacuate(fleet: Fleet, host: str, policy: Policy = BALANCED, *, now: float) -> Plan:
    """Plan where the VMs of a dead host start again. Pure: the fleet stays as it is.

    Those of higher priority choose first, of one priority those that are hardest to place; those that did not run come
    last. What they had on the dead host counts nothing, and as long as they are not placed they are nowhere: nobody has
    to be near them or apart from them. CPUs that were pinned are pinned anew. Room that the policy keeps for a failure
    is there for them. A VM whose request names the dead host is lost until that works again.

    :param now: Unix seconds, as rules read them.
    :raises InputError: when there is no such host.
    """
    draft = Draft(fleet, in_need(policy), now)
    draft.check_host(host)
    lost = draft.vms_on(host)
    draft.fleet.close(host, "down")
    before = occupancy(draft, len(lost))
    for vm in lost:
        draft.lose(vm)
    stays: list[Stay] = []
    for convoy in convoys(draft, sorted(lost, key=lambda vm: (*_urgent_first(draft, vm), vm))):
        stays += leave(draft, convoy, _why_lost)
    after = occupancy(draft, len(stays))
    return Plan(tuple(draft.moves), tuple(sorted(stays, key=lambda stay: stay.vm)), before, after)


def in_need(policy: Policy) -> Policy:
    """A policy whose rules keep no room for the failure of a host: there is one now."""
    filters = tuple(rule for rule in policy.filters if rule != "n_plus_one")
    return replace(policy, filters=filters, projects={name: in_need(one) for name, one in policy.projects.items()})


def _why_lost(draft: Draft, vm: str) -> Reason | None:
    """Why a VM can start nowhere else, whatever other hosts say; None when it may."""
    host = draft.where(vm)
    if draft.request_of(vm).host != host:
        return None
    return Reason("requested", f"lost with {host}: no other host will do", {"requested": host})


def _urgent_first(draft: Draft, vm: str) -> tuple[float, ...]:
    return float(vm in draft.not_running), -draft.request_of(vm).priority, *hardest_first(draft, vm)
