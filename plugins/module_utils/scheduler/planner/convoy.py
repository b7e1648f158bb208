# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""VMs of one host that have to go together, since affinity ties them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ..request import Request
from ..term import terms_of
from .draft import Draft

# Hosts that the first VM of a convoy tries, until all that follow it find room too.
_TRIES: Final = 16


def convoys(draft: Draft, vms: Iterable[str]) -> list[list[str]]:
    """VMs of one host by what ties them: most go alone, those tied by affinity together, however long the chain.

    :returns: each convoy in the order in which its VMs are given; convoys by their first VM.
    """
    listed = list(vms)
    tied = _ties(draft, listed)
    found: list[list[str]] = []
    seen: set[str] = set()
    for vm in listed:
        if vm not in seen:
            together = _reachable(vm, tied)
            seen |= together
            found.append([one for one in listed if one in together])
    return found


def move_convoy(draft: Draft, convoy: list[str]) -> str | None:
    """Move the VMs of a convoy, each to the host that the policy likes best for it, or none of them.

    Until all have moved, those that have not count nowhere: the first would have to be with those that follow it.

    :returns: the VM that found no host; None when all have moved.
    """
    lifted = [vm for vm in convoy if draft.lift(vm)]
    length = len(draft.moves)
    tried: set[str] = set()
    stuck: str | None = convoy[0]
    for _turn in range(_TRIES if len(convoy) > 1 else 1):
        stuck = _move_all(draft, convoy, tried)
        if stuck is None:
            return None
        alone = len(draft.moves) == length
        draft.undo(length)
        if alone:
            break
    for vm in lifted:
        draft.put_back(vm)
    return stuck


def _move_all(draft: Draft, convoy: list[str], tried: set[str]) -> str | None:
    """The VM that found no host. The first VM's host is one that was not tried yet."""
    waiting = list(convoy)
    while waiting:
        vm, request = min(
            ((vm, _for_now(draft, vm, waiting)) for vm in waiting),
            key=lambda item: len(draft.request_of(item[0]).affinity) - len(item[1].affinity),
        )
        first = len(waiting) == len(convoy)
        host = draft.choose(vm, tried if first else (), request)
        if host is None:
            return vm
        if first:
            tried.add(host)
        draft.move(vm, host)
        waiting.remove(vm)
    return next((vm for vm in convoy if draft.faults(vm)), None)


def _for_now(draft: Draft, vm: str, waiting: list[str]) -> Request:
    """What a VM asks for, but for being with those that have not moved yet."""
    request = draft.request_of(vm)
    if not request.affinity:
        return request
    there = {
        term for term in request.affinity if draft.fleet.company.with_term(request, term) and not term.startswith("vm:")
    }
    later = {term for mate in waiting if mate != vm for term in _terms(draft, mate)} - there
    return replace(request, affinity=tuple(term for term in request.affinity if term not in later))


def _terms(draft: Draft, vm: str) -> set[str]:
    request = draft.request_of(vm)
    return set(terms_of(vm, request.group, request.labels))


def _ties(draft: Draft, vms: list[str]) -> dict[str, set[str]]:
    there = set(vms)
    tied: dict[str, set[str]] = {vm: set() for vm in vms}
    for vm in vms:
        for follower in there.intersection(draft.followers(vm)):
            tied[vm].add(follower)
            tied[follower].add(vm)
    return tied


def _reachable(vm: str, tied: dict[str, set[str]]) -> set[str]:
    found, ahead = {vm}, [vm]
    while ahead:
        new = tied[ahead.pop()] - found
        found |= new
        ahead.extend(new)
    return found
