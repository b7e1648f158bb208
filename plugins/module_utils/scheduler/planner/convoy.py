# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""VMs of one host that have to go together, since affinity ties them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from ...model.reason import Reason
from ...model.term import VM, split_term, terms_of
from ..request import Request
from .draft import Draft
from .plan import Stay

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


def move_convoy(draft: Draft, convoy: list[str]) -> Stay | None:
    """Move the VMs of a convoy, each to the host that the policy likes best for it, or none of them.

    Until all have moved, those that have not count nowhere: the first would have to be with those that follow it.

    :returns: the VM that found no host, and why; None when all have moved.
    """
    length = len(draft.moves)
    tried: set[str] = set()
    first: Stay | None = None
    left = _content_elsewhere(draft, convoy)
    for _turn in range(_TRIES if len(convoy) > 1 or left else 1):
        for vm in convoy:
            draft.lift(vm)
        stuck = _move_all(draft, convoy, tried) or _left_behind(draft, convoy, left) or _too_much(draft, length)
        if stuck is None:
            return None
        first = first or stuck
        alone = len(draft.moves) == length
        draft.undo(length)
        for vm in convoy:
            draft.put_back(vm)
        if alone:
            break
    return first


def _move_all(draft: Draft, convoy: list[str], tried: set[str]) -> Stay | None:
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
            return draft.stay(vm)
        if first:
            tried.add(host)
        draft.move(vm, host)
        waiting.remove(vm)
    left_out = {vm: why for vm in convoy if (why := draft.faults(vm))}
    return next((Stay(vm, draft.where(vm), why[0]) for vm, why in left_out.items()), None)


def _content_elsewhere(draft: Draft, convoy: list[str]) -> list[str]:
    """VMs on other hosts that have to be near one of a convoy, and are. Whoever has died is near nobody."""
    here = {vm for vm in convoy if not draft.is_lost(vm)}
    near = {follower for vm in here for follower in draft.followers(vm)} - {*convoy}
    return sorted(vm for vm in near if not draft.faults(vm))


def _left_behind(draft: Draft, convoy: list[str], content: list[str]) -> Stay | None:
    """Who stays of a convoy that has moved away from some that have to be near it."""
    alone = [vm for vm in content if draft.faults(vm)]
    if not alone:
        return None
    vm = next(vm for vm in convoy if alone[0] in draft.followers(vm))
    return Stay(vm, draft.where(vm), Reason("affinity", f"{alone[0]} has to be near it", {"followed_by": alone}))


def _too_much(draft: Draft, length: int) -> Stay | None:
    """The first of those that moved, one after the other, with which some host could fail less well than before: each
    was judged as if the others were nowhere."""
    moves = draft.moves[length:]
    if not draft.is_careful or len(moves) < 2:
        return None
    draft.undo(length)
    for move in moves:
        why = draft.too_much(move.vm, move.target)
        if why is not None:
            return Stay(move.vm, move.source, why)
        draft.move(move.vm, move.target)
    return None


def stays_of(draft: Draft, convoy: list[str], stuck: Stay) -> list[Stay]:
    """Why the VMs of a convoy stay where they are: one of them because it finds no host, the others because of it."""
    tied = Reason("affinity", f"tied to {stuck.vm}, which stays", {"tied_to": stuck.vm})
    return [
        replace(stuck, host=draft.where(vm)) if vm == stuck.vm else Stay(vm, draft.where(vm), tied) for vm in convoy
    ]


def _for_now(draft: Draft, vm: str, waiting: list[str]) -> Request:
    """What a VM asks for, but for being with those that have not moved yet."""
    request = draft.request_of(vm)
    if not request.affinity:
        return request
    whom = {term: split_term(term)[0] for term in request.affinity}
    there = {one for one in whom.values() if not one.startswith(VM) and draft.fleet.company.where(request, one)}
    later = {term for mate in waiting if mate != vm for term in _terms(draft, mate)} - there
    return replace(request, affinity=tuple(term for term in request.affinity if whom[term] not in later))


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
