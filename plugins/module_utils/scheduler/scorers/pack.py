# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How full the host is once the VM is there: the fuller of virtual CPUs and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import np
from ..rule import Ask, Scorer
from . import free_cpu, free_memory

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    return 1.0 - np.minimum(ask.once(free_cpu.values, rows), ask.once(free_memory.values, rows))


SCORER = Scorer("pack", values)
