# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""In which order moves can be made, so that each finds its room."""

from __future__ import annotations

from .draft import Draft


def put_in_order(draft: Draft, targets: list[tuple[str, str]]) -> list[str]:
    """Move VMs to the hosts that they are meant for, each when its host has room for it.

    Where VMs wait for each other in a circle, one of them goes by way of a third host, if that takes it.

    :param targets: VMs with their hosts, in the order in which they are tried.
    :returns: the VMs that cannot get where they are meant for; they are where they were, or on a third host.
    """
    waiting = list(targets)
    stepped_aside: set[str] = set()
    while waiting:
        later = [(vm, host) for vm, host in waiting if not _go(draft, vm, host)]
        if len(later) == len(waiting) and not _step_aside(draft, later, stepped_aside):
            break
        waiting = later
    return [vm for vm, _host in waiting]


def _go(draft: Draft, vm: str, host: str) -> bool:
    if not draft.takes(vm, host):
        return False
    draft.move(vm, host)
    return True


def _step_aside(draft: Draft, waiting: list[tuple[str, str]], done: set[str]) -> bool:
    """Let one VM leave its host for a third, so that another may come there; each VM once."""
    needed = {host for _vm, host in waiting}
    for vm, _host in waiting:
        if vm in done or draft.where(vm) not in needed:
            continue
        third = draft.choose(vm, avoiding=needed) or draft.choose(vm)
        if third is not None:
            done.add(vm)
            draft.move(vm, third)
            return True
    return False
