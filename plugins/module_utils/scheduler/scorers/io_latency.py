# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How soon the host's disks answered when they were last measured: 1 at once, half at 10 ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    return ask.board.ageing.at(ask.now).io_latency[rows]


SCORER = Scorer("io_latency", values, standing=True)
