# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How far a host may be filled where the host itself does not say."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """A policy's figures.

    :param cpu_overcommit: virtual CPUs for each hardware thread.
    :param ram_reserved_mib: memory that a host keeps for itself, in MiB.
    :param load_fresh_seconds: age up to which what was measured is believed.
    :param metrics_fresh_seconds: age beyond which a host that was measured takes no VMs; infinite for never.
    """

    cpu_overcommit: float = 4.0
    ram_reserved_mib: int = 256
    load_fresh_seconds: float = 120.0
    metrics_fresh_seconds: float = math.inf
