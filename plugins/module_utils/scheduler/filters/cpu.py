# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Virtual CPUs, with overcommit."""

from __future__ import annotations

from ...model.reason import Reason
from ..limits import Limits
from ..request import Request
from ..snapshot import HostView


def check(host: HostView, request: Request, limits: Limits) -> Reason | None:
    limit = limits.cpu_of(host)
    free = limit - host.allocated_cpu
    if request.cpu <= free:
        return None
    overcommit = limits.overcommit_of(host)
    return Reason(
        "cpu",
        f"{request.cpu} virtual CPUs wanted, {max(0, free)} free of {limit} ({host.cpu} threads x {overcommit:g})",
        {"wanted": request.cpu, "free": max(0, free), "limit": limit, "threads": host.cpu, "overcommit": overcommit},
    )
