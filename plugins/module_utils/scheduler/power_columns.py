# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What hosts draw, by what they may promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .arrays import np
from .host import HostView, Power

if TYPE_CHECKING:
    from .arrays import Vector

# What a host draws that does not say, for each of its threads: a server of today with two sockets.
USUAL: Final = Power(idle_w=2.0, max_w=6.0)


class PowerColumns:
    """Watts of each host: ``idle`` that it draws once it is awake, and ``each`` that a promised grain of CPU adds.

    A host of which all is promised is taken to be busy all through.
    """

    def __init__(self, hosts: Sequence[HostView], cpu_limit: Vector) -> None:
        powers = [host.power or Power(USUAL.idle_w * host.cpu, USUAL.max_w * host.cpu) for host in hosts]
        self.idle = np.array([power.idle_w for power in powers], dtype=np.float64)
        most = np.array([power.max_w for power in powers], dtype=np.float64)
        self.each = np.maximum(most - self.idle, 0.0) / np.maximum(cpu_limit, 1.0)
