# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One host, as the scheduler is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NumaNode:
    """A NUMA node: hardware threads and MiB. What VMs hold of it, the fleet counts."""

    cpu: float
    ram_mib: int


@dataclass(frozen=True)
class HostView:
    """One host, read-only.

    :param id: the host's name, unique in a fleet.
    :param state: a state of ``model.host``.
    :param cpu: hardware threads.
    :param ram_mib: memory, in MiB.
    :param disk_bytes: what the pool for disks holds in all, in bytes.
    :param allocated_cpu: virtual CPUs promised to VMs, running or not; likewise the other two.
    :param cpu_overcommit: virtual CPUs for each thread; None for the policy's figure.
    :param ram_reserved_mib: memory kept for the host itself; None for the policy's figure.
    :param load: measured CPU use, 0 to 1, smoothed; None when it was never measured.
    :param load_at: when ``load`` was measured, in Unix seconds.
    :param generation: counts up with every allocation; a commit compares it.
    :param numa: its NUMA nodes; empty when nothing is known of them.
    """

    id: str
    cpu: float
    ram_mib: int
    disk_bytes: int = 0
    state: str = "ready"
    cordoned: bool = False
    allocated_cpu: float = 0
    allocated_ram_mib: int = 0
    allocated_disk_bytes: int = 0
    cpu_overcommit: float | None = None
    ram_reserved_mib: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    load: float | None = None
    load_at: float | None = None
    generation: int = 0
    numa: tuple[NumaNode, ...] = ()
