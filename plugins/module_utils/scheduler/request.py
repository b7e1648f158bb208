# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is to be placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .grain import grains


@dataclass(frozen=True)
class Request:
    """One VM that wants a host.

    :param cpu: virtual CPUs.
    :param ram_mib: memory, in MiB.
    :param disk_bytes: all its disks together, in bytes.
    :param host: the only host that will do; None for any.
    :param labels: the VM's labels.
    :param exclude: hosts that will not do: where it runs already, where it just failed.
    :param numa: over how many of a host's NUMA nodes it lies, in equal parts; 0 when it does not care.
    """

    cpu: float
    ram_mib: int
    disk_bytes: int = 0
    host: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()
    numa: int = 0

    @property
    def cpu_grains(self) -> int:
        """Its virtual CPUs as they are counted."""
        return grains(self.cpu)

    def on_each(self, nodes: int) -> tuple[int, int]:
        """What it takes of each of so many NUMA nodes: grains and MiB, rounded up, so that no node is overfilled."""
        return -(-self.cpu_grains // nodes), -(-self.ram_mib // nodes)

    @property
    def shape(self) -> tuple[float, int, int, int]:
        """What two VMs have in common that are alike to a host's room."""
        return self.cpu, self.ram_mib, self.disk_bytes, self.numa

    @property
    def key(self) -> tuple[object, ...]:
        """All that rules read: requests with one key get one answer."""
        return (*self.shape, self.host, self.exclude)
