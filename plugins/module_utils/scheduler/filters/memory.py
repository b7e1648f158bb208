# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Memory, less what the host keeps for itself. It is never promised twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ...model.units import format_mib
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def passes(ask: Ask, rows: Rows) -> Mask:
    enough: Mask = ask.board.ram_free[rows] >= ask.request.ram_mib
    return enough


def reason(ask: Ask, row: int) -> Reason:
    board, wanted, ram = ask.board, ask.request.ram_mib, int(ask.fleet.ram[row])
    limit, reserved, free = int(board.ram_limit[row]), int(board.ram_reserved[row]), max(0, int(board.ram_free[row]))
    return Reason(
        "memory",
        f"{format_mib(wanted)} wanted, {format_mib(free)} free of {format_mib(limit)}"
        f" ({format_mib(ram)} less {format_mib(reserved)} for the host)",
        {"wanted_mib": wanted, "free_mib": free, "limit_mib": limit, "reserved_mib": reserved},
    )


FILTER = Filter("memory", passes, reason)
