# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Memory, less what the host keeps for itself and has set aside as huge pages; or those. It is never promised twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ...model.units import format_mib
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def passes(ask: Ask, rows: Rows) -> Mask:
    enough: Mask = ask.board.ram_left(ask.request, rows) >= ask.request.ram_mib
    return enough


def reason(ask: Ask, row: int) -> Reason:
    return _huge(ask, row) if ask.request.huge_pages else _usual(ask, row)


def _usual(ask: Ask, row: int) -> Reason:
    board, wanted, ram, huge = ask.board, ask.request.ram_mib, int(ask.fleet.ram[row]), int(ask.fleet.huge[row])
    limit, reserved, free = int(board.ram_limit[row]), int(board.ram_reserved[row]), max(0, int(board.ram_free[row]))
    aside = f" and {format_mib(huge)} in huge pages" if huge else ""
    return Reason(
        "memory",
        f"{format_mib(wanted)} wanted, {format_mib(free)} free of {format_mib(limit)}"
        f" ({format_mib(ram)} less {format_mib(reserved)} for the host{aside})",
        {
            "wanted_mib": wanted,
            "free_mib": free,
            "limit_mib": limit,
            "reserved_mib": reserved,
            **({"huge_pages_mib": huge} if huge else {}),
        },
    )


def _huge(ask: Ask, row: int) -> Reason:
    wanted, limit = ask.request.ram_mib, int(ask.fleet.huge[row])
    free = max(0, limit - int(ask.fleet.huge_used[row]))
    return Reason(
        "memory",
        f"{format_mib(wanted)} in huge pages wanted, {format_mib(free)} free of {format_mib(limit)}",
        {"wanted_mib": wanted, "free_mib": free, "limit_mib": limit},
    )


FILTER = Filter("memory", passes, reason)
