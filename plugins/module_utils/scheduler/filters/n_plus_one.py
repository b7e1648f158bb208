# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""With the VM there, any one host could still fail: the others would have room for what is on it. For a VM that moves:
no failure would leave more without room than it does now.

See ``absorption`` for what that promises: room by virtual CPUs and memory, and nothing else that VMs may ask for.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final

from ...model.reason import Reason
from ...model.units import format_mib
from ..absorption import Shortage
from ..arrays import np
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows

_AMPLE: Final = "ample"


def passes(ask: Ask, rows: Rows) -> Mask:
    absorption = ask.board.absorption
    if absorption.ample(ask.request):
        return np.ones(len(ask.fleet), dtype=np.bool_)[rows]
    return absorption.allows(ask.request, rows)


def stamp(ask: Ask) -> Hashable:
    """While there is room and to spare, nothing of other hosts matters; when there is not, everything does."""
    return _AMPLE if ask.board.absorption.ample(ask.request) else ask.fleet.version


def reason(ask: Ask, row: int) -> Reason:
    short = ask.board.absorption.shortage(ask.request, row)
    if short is None:
        return Reason("n_plus_one", "any one host could fail")
    failing = ask.fleet.hosts[short.row].id
    return Reason(
        "n_plus_one",
        f"were {failing} to fail, its VMs would want {format_mib(short.wanted_mib)} in pieces of"
        f" {format_mib(short.piece_mib)}, and the others would have {format_mib(short.free_mib)}"
        f" (virtual CPUs counted as the memory that goes with them){_already(ask, short)}",
        {
            "fails": failing,
            "wanted_mib": short.wanted_mib,
            "piece_mib": short.piece_mib,
            "free_mib": short.free_mib,
            "short_before_mib": short.before_mib,
        },
    )


def _already(ask: Ask, short: Shortage) -> str:
    """That it is not this VM alone that is too many."""
    if not short.before_mib:
        return ""
    without = "without this VM" if ask.request.source is None else f"with this VM on {ask.request.source}"
    return f"; {without} that would be {format_mib(short.before_mib)} too little already"


FILTER = Filter("n_plus_one", passes, reason, standing=True, stamp=stamp)
