# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a VM was promised of the host's network is there. A host that does not tell what it carries promises none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return request.bandwidth_mbps > 0


def passes(ask: Ask, rows: Rows) -> Mask:
    fleet = ask.fleet
    enough: Mask = fleet.bandwidth[rows] - fleet.bandwidth_used[rows] >= ask.request.bandwidth_mbps
    return enough


def reason(ask: Ask, row: int) -> Reason:
    fleet, wanted = ask.fleet, ask.request.bandwidth_mbps
    limit = int(fleet.bandwidth[row])
    free = max(0, limit - int(fleet.bandwidth_used[row]))
    told = fleet.hosts[row].bandwidth_mbps is not None
    return Reason(
        "bandwidth",
        f"{wanted} Mbit/s wanted, {f'{free} free of {limit}' if told else 'it does not tell what its network carries'}",
        {"wanted_mbps": wanted, "free_mbps": free, "limit_mbps": limit if told else None},
    )


FILTER = Filter("bandwidth", passes, reason, concerns)
