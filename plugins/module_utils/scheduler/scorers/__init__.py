# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Preferences by name. A new one is one small file and one line here.

Each file has one ``SCORER``: 1 for the best host there could be, 0 for the worst.
"""

from __future__ import annotations

from typing import Final

from ..rule import Scorer
from . import balance, fragmentation, free_cpu, free_memory, load, pack

SCORERS: Final[dict[str, Scorer]] = {
    module.SCORER.name: module.SCORER for module in (free_cpu, free_memory, load, pack, balance, fragmentation)
}
