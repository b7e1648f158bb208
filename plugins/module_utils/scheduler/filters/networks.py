# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that the VM's networks reach. One of whose networks nothing is known is not refused for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.networks)


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.networks.taking(ask.request.networks)[rows]


def reason(ask: Ask, row: int) -> Reason:
    wanted, there = ask.request.networks, ask.fleet.hosts[row].networks or frozenset()
    missing = sorted(wanted - there)
    return Reason(
        "networks",
        f"{', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not reach it, {len(missing)} of {len(wanted)}"
        " networks wanted",
        {"wanted": sorted(wanted), "missing": missing},
    )


FILTER = Filter("networks", passes, reason, concerns, standing=True)
