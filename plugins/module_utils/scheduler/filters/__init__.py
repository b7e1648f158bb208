# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Hard rules by name. A new one is one small file and one line here.

Each file has one ``FILTER``; its Reason's rule is its name.
"""

from __future__ import annotations

from typing import Final

from ..rule import Filter
from . import cordon, cpu, disk, excluded, memory, numa, ready, requested

FILTERS: Final[dict[str, Filter]] = {
    module.FILTER.name: module.FILTER for module in (ready, cordon, requested, excluded, cpu, memory, numa, disk)
}
