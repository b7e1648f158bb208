# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What was measured of hosts, and when they failed. What was never measured is NaN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from .arrays import np
from .host import HostView

if TYPE_CHECKING:
    from .arrays import Vector

# How busy a host is its busiest part says: what it has too much of does not make up for what it has too little of.
_PARTS: Final[tuple[Callable[[HostView], float | None], ...]] = (
    lambda host: host.load,
    lambda host: host.load_memory,
    lambda host: host.load_disk,
    lambda host: host.load_network,
    lambda host: host.load_pressure,
)


class MeasureColumns:
    """Measurements as columns.

    ``busy`` is the use of each host's busiest part of those that are known, 0 to 1; ``at`` is when. A failure is a row
    in ``failed_at`` and ``failed_row``, since few hosts have any.
    """

    def __init__(self, hosts: Sequence[HostView]) -> None:
        self.at = _known(hosts, lambda host: host.load_at)
        self.cpu = _known(hosts, lambda host: host.load)
        self.busy = np.fmax.reduce([_known(hosts, part) for part in _PARTS])
        self.io_latency = _known(hosts, lambda host: host.io_latency_ms)
        failures = [(moment, row) for row, host in enumerate(hosts) for moment in host.failures]
        self.failed_at = np.array([moment for moment, _row in failures], dtype=np.float64)
        self.failed_row = np.array([row for _moment, row in failures], dtype=np.intp)


def _known(hosts: Sequence[HostView], read: Callable[[HostView], float | None]) -> Vector:
    values = map(read, hosts)
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
