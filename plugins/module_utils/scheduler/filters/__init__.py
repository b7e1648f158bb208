# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Hard rules by name. A new one is one small file and one line here.

Each file has one function, ``check``, of the shape ``rule.Filter``; its Reason's rule is the name it has here.
"""

from __future__ import annotations

from typing import Final

from ..rule import Filter
from . import cordon, cpu, disk, excluded, memory, ready, requested

FILTERS: Final[dict[str, Filter]] = {
    "ready": ready.check,
    "cordon": cordon.check,
    "requested": requested.check,
    "excluded": excluded.check,
    "cpu": cpu.check,
    "memory": memory.check,
    "disk": disk.check,
}
