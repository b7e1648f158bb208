# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Virtual CPUs, with overcommit; or threads, of which nobody else gets anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ...model.units import format_cpu, plain_number
from ..grain import cpus
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.board.cpu_free[rows] >= ask.board.cpu_taken(ask.request, rows)


def reason(ask: Ask, row: int) -> Reason:
    return _pinned(ask, row) if ask.request.pinned else _shared(ask, row)


def _pinned(ask: Ask, row: int) -> Reason:
    wanted, threads = ask.request.cpu, ask.fleet.cpu[row].item()
    free, pinned = ask.board.threads_free(slice(row, row + 1)).item(), cpus(ask.fleet.pinned_used[row].item())
    shared = cpus(ask.fleet.cpu_used[row].item()) - pinned
    overcommit = ask.board.overcommit[row].item()
    return Reason(
        "cpu",
        f"{format_cpu(wanted)} threads of its own wanted, {format_cpu(free)} free of {format_cpu(threads)}"
        f" ({format_cpu(pinned)} pinned, {format_cpu(shared)} virtual CPUs share the rest, {overcommit:g} on each)",
        {
            "wanted": wanted,
            "free": plain_number(free),
            "threads": plain_number(threads),
            "pinned": plain_number(pinned),
            "shared": plain_number(shared),
            "overcommit": overcommit,
        },
    )


def _shared(ask: Ask, row: int) -> Reason:
    board, wanted, threads = ask.board, ask.request.cpu, ask.fleet.cpu[row].item()
    limit, overcommit = cpus(board.cpu_limit[row].item()), board.overcommit[row].item()
    free = max(0.0, cpus(board.cpu_free[row].item()))
    return Reason(
        "cpu",
        f"{format_cpu(wanted)} virtual CPUs wanted, {format_cpu(free)} free of {format_cpu(limit)}"
        f" ({format_cpu(threads)} threads x {overcommit:g})",
        {
            "wanted": wanted,
            "free": plain_number(free),
            "limit": plain_number(limit),
            "threads": plain_number(threads),
            "overcommit": overcommit,
        },
    )


FILTER = Filter("cpu", passes, reason)
