# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that are known to work."""

from __future__ import annotations

from ...model.host import PLACEABLE
from ...model.reason import Reason
from ..limits import Limits
from ..request import Request
from ..snapshot import HostView


def check(host: HostView, request: Request, limits: Limits) -> Reason | None:
    if host.state in PLACEABLE:
        return None
    needed = " or ".join(sorted(PLACEABLE))
    return Reason("ready", f"the host is {host.state}, not {needed}", {"state": host.state})
