# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Memory, less what the host keeps for itself. It is never promised twice."""

from __future__ import annotations

from ...model.reason import Reason
from ...model.units import format_mib
from ..limits import Limits
from ..request import Request
from ..snapshot import HostView


def check(host: HostView, request: Request, limits: Limits) -> Reason | None:
    limit, reserved = limits.ram_of(host), limits.reserved_of(host)
    free = limit - host.allocated_ram_mib
    if request.ram_mib <= free:
        return None
    free = max(0, free)
    return Reason(
        "memory",
        f"{format_mib(request.ram_mib)} wanted, {format_mib(free)} free of {format_mib(limit)}"
        f" ({format_mib(host.ram_mib)} less {format_mib(reserved)} for the host)",
        {"wanted_mib": request.ram_mib, "free_mib": free, "limit_mib": limit, "reserved_mib": reserved},
    )
