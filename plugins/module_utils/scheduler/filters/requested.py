# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host that was asked for by name is the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..arrays import np
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return request.host is not None


def passes(ask: Ask, rows: Rows) -> Mask:
    wanted = np.zeros(len(ask.fleet), dtype=np.bool_)
    row = ask.fleet.rows.get(ask.request.host or "")
    if row is not None:
        wanted[row] = True
    return wanted[rows]


def reason(ask: Ask, row: int) -> Reason:
    return Reason("requested", f"{ask.request.host} was asked for", {"requested": ask.request.host})


FILTER = Filter("requested", passes, reason, concerns, standing=True)
