# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How few slots are lost: VMs of the shapes asked for lately that would still have fitted, and then would not."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def values(ask: Ask, rows: Rows) -> Vector:
    return 1.0 / (1.0 + ask.slots.lost(ask.request, rows))


def stamp(ask: Ask) -> Hashable:
    """A slot's weight is that of all hosts."""
    ask.slots.refresh()
    return ask.slots.version


SCORER = Scorer("fragmentation", values, stamp=stamp)
