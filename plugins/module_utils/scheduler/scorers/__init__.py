# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Preferences by name. A new one is one small file and one line here.

Each file has one ``SCORER``: 1 for the best host there could be, 0 for the worst.
"""

from __future__ import annotations

from typing import Final

from ..rule import Scorer
from . import (
    balance,
    energy,
    fragmentation,
    free_cpu,
    free_memory,
    image_locality,
    io_latency,
    load,
    pack,
    soft_affinity,
    stability,
    staleness,
)

_MODULES: Final = (
    free_cpu,
    free_memory,
    load,
    io_latency,
    image_locality,
    stability,
    staleness,
    pack,
    balance,
    fragmentation,
    energy,
    soft_affinity,
)

SCORERS: Final[dict[str, Scorer]] = {module.SCORER.name: module.SCORER for module in _MODULES}
