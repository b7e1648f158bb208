# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How idle the host's busiest part was when it was last measured: CPU, memory, disks, network, or waiting for a CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    return ask.board.ageing.at(ask.now).load[rows]


SCORER = Scorer("load", values, standing=True)
