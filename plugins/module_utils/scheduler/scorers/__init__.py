# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Preferences by name. A new one is one small file and one line here.

Each file has one function, ``score``, of the shape ``rule.Scorer``: 1 for the best host there could be, 0 for the
worst.
"""

from __future__ import annotations

from typing import Final

from ..rule import Scorer
from . import free_cpu, free_memory, load

SCORERS: Final[dict[str, Scorer]] = {
    "free_cpu": free_cpu.score,
    "free_memory": free_memory.score,
    "load": load.score,
}
