# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The two shapes that a rule of placement may have."""

from __future__ import annotations

from typing import Protocol

from ..model.reason import Reason
from .limits import Limits
from .request import Request
from .snapshot import HostView


class Filter(Protocol):
    """A hard rule: why this host will not do, or None when it will."""

    def __call__(self, host: HostView, request: Request, limits: Limits) -> Reason | None: ...


class Scorer(Protocol):
    """A preference: how much this host is liked, 0 to 1, at a time in Unix seconds.

    Asked only about hosts that every filter lets pass.
    """

    def __call__(self, host: HostView, request: Request, limits: Limits, now: float) -> float: ...
