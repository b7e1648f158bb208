# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""All VMs leaving a host."""

from __future__ import annotations

from ...model.reason import Reason
from .convoy import convoys, move_convoy
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
        fixed = {vm: why for vm in convoy if (why := draft.why_fixed(vm)) is not None}
        stuck = next(iter(fixed)) if fixed else move_convoy(draft, convoy)
        if stuck is None or (not fixed and len(convoy) == 1 and make_room(draft, stuck)):
            continue
        stays.extend(_stay(draft, vm, stuck, fixed) for vm in convoy)
    return sorted(stays, key=lambda stay: stay.vm)


def hardest_first(draft: Draft, vm: str) -> tuple[float, float, float]:
    """What VMs are ordered by so that those come first that find the fewest hosts: those of most memory."""
    request = draft.request_of(vm)
    return -request.ram_mib, -request.cpu, -request.disk_bytes


def _stay(draft: Draft, vm: str, stuck: str, fixed: dict[str, Reason]) -> Stay:
    if vm in fixed:
        return Stay(vm, draft.where(vm), fixed[vm])
    if vm == stuck:
        return draft.stay(vm)
    return Stay(vm, draft.where(vm), Reason("affinity", f"tied to {stuck}, which stays", {"tied_to": stuck}))
