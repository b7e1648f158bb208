# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that are known to work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.host import PLACEABLE
from ...model.reason import Reason
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.placeable[rows]


def reason(ask: Ask, row: int) -> Reason:
    state = ask.fleet.hosts[row].state
    return Reason("ready", f"the host is {state}, not {' or '.join(sorted(PLACEABLE))}", {"state": state})


FILTER = Filter("ready", passes, reason, standing=True)
