# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Not where the caller says it must not go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..arrays import np
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.exclude)


def passes(ask: Ask, rows: Rows) -> Mask:
    allowed = np.ones(len(ask.fleet), dtype=np.bool_)
    for name in ask.request.exclude:
        row = ask.fleet.rows.get(name)
        if row is not None:
            allowed[row] = False
    return allowed[rows]


def reason(ask: Ask, row: int) -> Reason:
    return Reason("excluded", "the request excludes this host")


FILTER = Filter("excluded", passes, reason, concerns, standing=True)
