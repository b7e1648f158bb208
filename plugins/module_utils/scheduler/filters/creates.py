# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Not where as many VMs are being created as the policy lets a host create at once.

Copying images is what makes creates slow; ten at once on one host all end late. Off unless the policy names a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(_request: Request) -> bool:
    return False


def averted(ask: Ask) -> bool:
    """Whether the policy, or what it says of some hosts, names a number."""
    return ask.board.limits_creates


def passes(ask: Ask, rows: Rows) -> Mask:
    enough: Mask = ask.fleet.creating[rows] < ask.board.figures.creates_at_once[rows]
    return enough


def reason(ask: Ask, row: int) -> Reason:
    count, limit = int(ask.fleet.creating[row]), int(ask.board.figures.creates_at_once[row])
    return Reason(
        "creates", f"{count} VMs are being created there, {limit} at once at most", {"creating": count, "limit": limit}
    )


FILTER = Filter("creates", passes, reason, concerns, averted=averted)
