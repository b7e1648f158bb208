# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only processors that can do all that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.cpu_features)


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.cpu_features.taking(ask.request.cpu_features)[rows]


def reason(ask: Ask, row: int) -> Reason:
    wanted = ask.request.cpu_features
    missing = sorted(wanted - ask.fleet.hosts[row].cpu_features)
    return Reason(
        "cpu_features",
        f"its processors lack {', '.join(missing)}, {len(missing)} of {len(wanted)} wanted",
        {"wanted": sorted(wanted), "missing": missing},
    )


FILTER = Filter("cpu_features", passes, reason, concerns, standing=True)
