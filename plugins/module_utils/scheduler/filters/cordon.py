# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""No new VMs on a host that someone has cordoned."""

from __future__ import annotations

from ...model.reason import Reason
from ..limits import Limits
from ..request import Request
from ..snapshot import HostView


def check(host: HostView, request: Request, limits: Limits) -> Reason | None:
    return Reason("cordon", "the host is cordoned") if host.cordoned else None
