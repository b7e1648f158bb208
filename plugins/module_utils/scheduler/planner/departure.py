# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""All VMs leaving a host."""

from __future__ import annotations

from collections.abc import Callable

from ...model.reason import Reason
from .convoy import convoys, move_convoy, stays_of
from .draft import Draft
from .plan import Stay
from .room import make_room


def depart(draft: Draft, vms: list[str]) -> list[Stay]:
    """Move VMs off their host, those that are hardest to place first.

    VMs tied by affinity go one right after the other or not at all. For a VM that fits nowhere one other is moved out
    of its way, if that helps.

    :returns: those that stay, by id, with what is in their way.
    """
    stays: list[Stay] = []
    for convoy in convoys(draft, sorted(vms, key=lambda vm: (*hardest_first(draft, vm), vm))):
        stays += leave(draft, convoy, Draft.why_fixed)
    return sorted(stays, key=lambda stay: stay.vm)


def leave(draft: Draft, convoy: list[str], why_fixed: Callable[[Draft, str], Reason | None]) -> list[Stay]:
    """Move a convoy, unless one of its VMs may not be moved.

    :param why_fixed: why a VM may not be moved; None when it may.
    :returns: those that stay: all of it, or none.
    """
    fixed = {vm: Stay(vm, draft.where(vm), why) for vm in convoy if (why := why_fixed(draft, vm)) is not None}
    stuck = next(iter(fixed.values())) if fixed else _place_convoy(draft, convoy)
    return [] if stuck is None else [fixed.get(stay.vm, stay) for stay in stays_of(draft, convoy, stuck)]


def _place_convoy(draft: Draft, convoy: list[str]) -> Stay | None:
    """Move a convoy, or a VM that is alone, if need be by moving another VM out of its way; None when it has moved."""
    stuck = move_convoy(draft, convoy)
    if stuck is None or (len(convoy) == 1 and make_room(draft, stuck.vm)):
        return None
    return stuck


def hardest_first(draft: Draft, vm: str) -> tuple[float, float, float]:
    """What VMs are ordered by so that those come first that find the fewest hosts: those of most memory."""
    request = draft.request_of(vm)
    return -request.ram_mib, -request.cpu, -request.disk_bytes
