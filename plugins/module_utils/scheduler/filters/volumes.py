# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that can attach all of the VM's volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.volumes)


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.reachable_volumes.taking(ask.request.volumes)[rows]


def reason(ask: Ask, row: int) -> Reason:
    wanted, there = ask.request.volumes, ask.fleet.hosts[row].reachable_volumes or frozenset()
    missing = sorted(wanted - there)
    return Reason(
        "volumes",
        f"it cannot attach {', '.join(missing)}, {len(missing)} of {len(wanted)} volumes",
        {"wanted": sorted(wanted), "missing": missing},
    )


FILTER = Filter("volumes", passes, reason, concerns, standing=True)
