# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only processors of the architecture that was asked for. A host that does not tell is not trusted to have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return request.architecture is not None


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.architectures.taking(str(ask.request.architecture))[rows]


def reason(ask: Ask, row: int) -> Reason:
    wanted, has = ask.request.architecture, ask.fleet.hosts[row].architecture
    words = "it does not tell its own" if has is None else f"it is {has}"
    return Reason("architecture", f"{wanted} wanted, {words}", {"wanted": wanted, "has": has})


FILTER = Filter("architecture", passes, reason, concerns, standing=True)
