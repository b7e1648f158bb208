# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""No new VMs on a host that someone has cordoned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def passes(ask: Ask, rows: Rows) -> Mask:
    return ~ask.fleet.cordoned[rows]


def reason(ask: Ask, row: int) -> Reason:
    return Reason("cordon", "the host is cordoned")


FILTER = Filter("cordon", passes, reason, standing=True)
