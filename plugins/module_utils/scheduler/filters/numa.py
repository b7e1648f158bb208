# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A VM of N NUMA nodes finds N nodes of the host with room for a part each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ...model.units import format_cpu, format_mib
from ..arrays import np
from ..grain import cpus
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return request.numa > 0


def passes(ask: Ask, rows: Rows) -> Mask:
    wanted = ask.request.numa
    enough: Mask = np.add.reduce(ask.board.nodes_take(ask.request, wanted, rows), axis=1) >= wanted
    return enough


def reason(ask: Ask, row: int) -> Reason:
    grains, ram = ask.request.on_each(ask.request.numa)
    cpu = cpus(grains)
    known = len(ask.fleet.hosts[row].numa)
    board, rows = ask.board, slice(row, row + 1)
    left = board.node_cpu_free[row]
    if ask.request.pinned:
        # What a thread could have promised is what a virtual CPU takes that has it for itself.
        left = left / max(1.0, board.overcommit[row].item())
    memory = board.nodes_left(ask.request, rows)[0]
    nodes = [{"cpu": cpus(left[node].item()), "ram_mib": int(memory[node])} for node in range(known)]
    free = ", ".join(f"{format_cpu(node['cpu'])} and {format_mib(max(0, int(node['ram_mib'])))}" for node in nodes)
    return Reason(
        "numa",
        f"{ask.request.numa} NUMA nodes with {format_cpu(cpu)} {_cpus(ask.request)} and {format_mib(ram)}"
        f"{' in huge pages' if ask.request.huge_pages else ''} each wanted,"
        f" {f'free on its {known}: {free}' if known else 'it tells of none'}",
        {"wanted": ask.request.numa, "cpu": cpu, "ram_mib": ram, "free": nodes},
    )


def _cpus(request: Request) -> str:
    return "threads of its own" if request.pinned else "virtual CPUs"


FILTER = Filter("numa", passes, reason, concerns)
