# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The share of virtual CPUs left once the VM is there."""

from __future__ import annotations

from ..limits import Limits
from ..request import Request
from ..snapshot import HostView


def score(host: HostView, request: Request, limits: Limits, now: float) -> float:
    limit = limits.cpu_of(host)
    return (limit - host.allocated_cpu - request.cpu) / limit if limit else 0.0
