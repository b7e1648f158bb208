# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Hard rules by name. A new one is one small file and one line here.

Each file has one ``FILTER``; its Reason's rule is its name.
"""

from __future__ import annotations

from typing import Final

from ..rule import Filter
from . import (
    affinity,
    anti_affinity,
    architecture,
    bandwidth,
    cordon,
    cpu,
    cpu_features,
    creates,
    dedicated,
    disk,
    excluded,
    host_labels,
    image,
    machine,
    memory,
    metrics,
    n_plus_one,
    networks,
    numa,
    pools,
    ready,
    requested,
    spread,
    volumes,
)

# In the order in which refusals are listed: whether the host takes anything, whether it is the right kind, whether it
# has room.
_MODULES: Final = (
    ready,
    cordon,
    metrics,
    creates,
    requested,
    excluded,
    dedicated,
    host_labels,
    architecture,
    machine,
    cpu_features,
    networks,
    image,
    volumes,
    cpu,
    memory,
    numa,
    disk,
    pools,
    bandwidth,
    affinity,
    anti_affinity,
    spread,
    n_plus_one,
)

FILTERS: Final[dict[str, Filter]] = {module.FILTER.name: module.FILTER for module in _MODULES}
