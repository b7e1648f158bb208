# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host that was asked for by name is the only one."""

from __future__ import annotations

from ...model.reason import Reason
from ..limits import Limits
from ..request import Request
from ..snapshot import HostView


def check(host: HostView, request: Request, limits: Limits) -> Reason | None:
    if request.host is None or request.host == host.id:
        return None
    return Reason("requested", f"{request.host} was asked for", {"requested": request.host})
