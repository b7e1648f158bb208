# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How much of a fleet is promised, and what is left on one host of it."""

from __future__ import annotations

from typing import Any

from .draft import Draft

_DIGITS = 6


def occupancy(draft: Draft, vms: int) -> dict[str, Any]:
    """Figures of a plan that empties a host.

    :param vms: the VMs that have yet to leave it.
    :returns: that, and the shares of virtual CPUs and memory that are promised on the hosts that take VMs: with the
        policy's overcommit, and without what hosts keep for themselves.
    """
    board = draft.board()
    there = draft.fleet.placeable & ~draft.fleet.cordoned
    shares = {
        name: 1 - float(free[there].sum()) / total if (total := float(limit[there].sum())) else 0.0
        for name, limit, free in (("cpu", board.cpu_limit, board.cpu_free), ("ram", board.ram_limit, board.ram_free))
    }
    return {"vms": vms, **{name: round(share, _DIGITS) for name, share in shares.items()}}
