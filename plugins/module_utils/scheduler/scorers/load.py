# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How idle the host was when it was last measured."""

from __future__ import annotations

from typing import Final

from ..limits import Limits
from ..request import Request
from ..snapshot import HostView

# A host of which nothing is known is liked less than an idle one and more than a busy one.
UNKNOWN: Final = 0.5


def score(host: HostView, request: Request, limits: Limits, now: float) -> float:
    if host.load is None or host.load_at is None or now - host.load_at > limits.load_fresh_seconds:
        return UNKNOWN
    return 1.0 - host.load
