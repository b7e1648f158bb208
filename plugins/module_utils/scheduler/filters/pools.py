# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Room for the disks that name a pool, each in its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...model.reason import Reason
from ...model.units import MIB, format_mib
from ..arrays import np
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.pools)


def passes(ask: Ask, rows: Rows) -> Mask:
    pools = ask.fleet.pools
    enough: Mask = np.logical_and.reduce([pools.free(name, rows) >= size for name, size in ask.request.pools.items()])
    return enough


def reason(ask: Ask, row: int) -> Reason:
    found = {name: _room(ask, row, name, size) for name, size in sorted(ask.request.pools.items())}
    short = {name: room for name, room in found.items() if room["free_bytes"] is None or _lacks(room)}
    words = "; ".join(_words(name, room) for name, room in short.items())
    return Reason("pools", words, {"pools": short})


def _room(ask: Ask, row: int, name: str, wanted: int) -> dict[str, Any]:
    pool = ask.fleet.pools.pool(name, row)
    if pool is None:
        return {"wanted_bytes": wanted, "free_bytes": None, "limit_bytes": None}
    free = max(0, pool.size_bytes - pool.used_bytes)
    return {"wanted_bytes": wanted, "free_bytes": free, "limit_bytes": pool.size_bytes}


def _lacks(room: dict[str, Any]) -> bool:
    return bool(room["free_bytes"] < room["wanted_bytes"])


def _words(name: str, room: dict[str, Any]) -> str:
    wanted = f"{format_mib(-(-room['wanted_bytes'] // MIB))} of pool {name} wanted"
    if room["free_bytes"] is None:
        return f"{wanted}, it has no such pool"
    return f"{wanted}, {format_mib(room['free_bytes'] // MIB)} free of {format_mib(room['limit_bytes'] // MIB)}"


FILTER = Filter("pools", passes, reason, concerns)
