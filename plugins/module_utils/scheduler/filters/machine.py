# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts whose hypervisor offers the machine type that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return request.machine is not None


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.machines.taking(str(ask.request.machine))[rows]


def reason(ask: Ask, row: int) -> Reason:
    wanted, offered = ask.request.machine, sorted(ask.fleet.hosts[row].machines)
    words = f"it offers {', '.join(offered)}" if offered else "it tells of none"
    return Reason("machine", f"machine type {wanted} wanted, {words}", {"wanted": wanted, "offered": offered})


FILTER = Filter("machine", passes, reason, concerns, standing=True)
