# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Room for the disks at their full size, so that none runs full under its guest."""

from __future__ import annotations

from ...model.reason import Reason
from ...model.units import MIB, format_mib
from ..limits import Limits
from ..request import Request
from ..snapshot import HostView


def check(host: HostView, request: Request, limits: Limits) -> Reason | None:
    free = max(0, host.disk_bytes - host.allocated_disk_bytes)
    if request.disk_bytes <= free:
        return None
    wanted = format_mib(-(-request.disk_bytes // MIB))
    return Reason(
        "disk",
        f"{wanted} of disk wanted, {format_mib(free // MIB)} free of {format_mib(host.disk_bytes // MIB)}",
        {"wanted_bytes": request.disk_bytes, "free_bytes": free, "limit_bytes": host.disk_bytes},
    )
