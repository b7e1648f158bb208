# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The grain in which virtual CPUs are counted, so small that whole numbers of it will do.

A virtual CPU may be a fraction such as 0.1, which floating point only comes near: ten VMs that came and went would
leave something behind, and the last of them would be refused for a trillionth of a CPU. Whole numbers add up exactly,
also in columns of floating point, up to 2 to the 53rd: ten thousand million CPUs.
"""

from __future__ import annotations

from typing import Final

# Thousandths of a CPU, each of which can be dealt out evenly over any number of NUMA nodes up to 8.
GRAINS: Final = 840 * 1000


def grains(cpu: float) -> int:
    """Virtual CPUs in grains; what is finer than a grain is rounded."""
    return round(cpu * GRAINS)


def cpus(count: float) -> float:
    """Grains as virtual CPUs."""
    return count / GRAINS
