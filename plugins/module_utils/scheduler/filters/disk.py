# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Room for the disks at their full size, so that none runs full under its guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ...model.units import MIB, format_mib
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return request.disk_bytes > 0


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.board.disk_free[rows] >= ask.request.disk_bytes


def reason(ask: Ask, row: int) -> Reason:
    wanted, limit = ask.request.disk_bytes, int(ask.fleet.disk[row])
    free = max(0, int(ask.board.disk_free[row]))
    return Reason(
        "disk",
        f"{format_mib(-(-wanted // MIB))} of disk wanted, {format_mib(free // MIB)} free of {format_mib(limit // MIB)}",
        {"wanted_bytes": wanted, "free_bytes": free, "limit_bytes": limit},
    )


FILTER = Filter("disk", passes, reason, concerns)
