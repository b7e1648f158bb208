# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Making room for a VM that fits nowhere, by moving one other VM out of its way."""

from __future__ import annotations

from typing import Final

from .draft import Draft

# Pairs of a host and a VM there that are tried at most.
_TRIES: Final = 200
# What no VM's leaving can change.
_LASTING: Final = frozenset({"ready", "cordon", "requested", "excluded"})


def make_room(draft: Draft, vm: str) -> bool:
    """Move a VM to a host that would take it but for one other VM, which moves to a third host before.

    Tried are the hosts first that the fewest rules keep it from, and on each the smallest VMs. Whether it was moved.
    """
    tries = 0
    for host in _hosts(draft, vm):
        for other in _movable_on(draft, host):
            if _exchange(draft, vm, host, other):
                return True
            tries += 1
            if tries >= _TRIES:
                return False
    return False


def _hosts(draft: Draft, vm: str) -> list[str]:
    refused = [
        one for one in draft.stay(vm).refused if not _LASTING.intersection(reason.rule for reason in one.reasons)
    ]
    return [one.host for one in sorted(refused, key=lambda one: (len(one.reasons), one.host))]


def _movable_on(draft: Draft, host: str) -> list[str]:
    movable = (vm for vm in draft.vms_on(host) if draft.may_move(vm))
    return sorted(movable, key=lambda vm: (draft.request_of(vm).ram_mib, draft.request_of(vm).cpu, vm))


def _exchange(draft: Draft, vm: str, host: str, other: str) -> bool:
    with draft.without(other):
        if not draft.accepting(vm)[draft.fleet.rows[host]]:
            return False
    length = len(draft.moves)
    third = draft.choose(other, (draft.where(vm),))
    if third is None or not draft.takes(other, third):
        return False
    draft.move(other, third)
    if draft.takes(vm, host):
        draft.move(vm, host)
        return True
    draft.undo(length)
    return False
