# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One host, as the scheduler is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class NumaNode:
    """A NUMA node: hardware threads, MiB, and how many of those are huge pages. What VMs hold of it a fleet counts."""

    cpu: float
    ram_mib: int
    huge_pages_mib: int = 0


@dataclass(frozen=True)
class Pool:
    """A storage pool of one host, in bytes. ``used_bytes`` is what VMs have been promised of it."""

    size_bytes: int
    used_bytes: int = 0


@dataclass(frozen=True)
class Power:
    """Watts that a host draws when nothing runs on it, and when all of it is busy."""

    idle_w: float
    max_w: float


@dataclass(frozen=True)
class HostView:
    """One host, read-only.

    :param id: the host's name, unique in a fleet.
    :param state: a state of ``model.host``.
    :param cpu: hardware threads.
    :param ram_mib: memory, in MiB.
    :param disk_bytes: what the pool for disks that name none holds in all, in bytes.
    :param allocated_cpu: virtual CPUs promised to VMs, running or not; likewise the others.
    :param cpu_overcommit: virtual CPUs for each thread; None for the policy's figure.
    :param ram_reserved_mib: memory kept for the host itself; None for the policy's figure.
    :param load: measured CPU use, 0 to 1, smoothed; None when it was never measured.
    :param load_at: when that and everything else that is measured was, in Unix seconds.
    :param generation: counts up with every allocation; a commit compares it.
    :param numa: its NUMA nodes; empty when nothing is known of them.
    :param architecture: its processors', such as ``x86_64``; None when it is not known.
    :param machines: the machine types that its hypervisor offers.
    :param cpu_features: what its processors can do, by libvirt's names.
    :param networks: those that reach it; None when it is not known, which refuses nothing.
    :param bandwidth_mbps: what its network carries, in megabits a second; None when it is not known.
    :param pools: its pools by name, for disks that name one.
    :param images: those that lie on it already.
    :param reachable_images: those that it can fetch; None for all.
    :param reachable_volumes: those that it can attach; None for all.
    :param dedicated: the projects whose VMs alone it takes; empty for all.
    :param load_memory: measured use, 0 to 1, as are ``load_disk`` and ``load_network``; None when never measured.
    :param load_pressure: the share of time in which something that could run waited for a CPU: run-queue pressure, or
        what a hypervisor below stole.
    :param io_latency_ms: what its disks take to answer, in milliseconds.
    :param failures: when it failed lately, in Unix seconds.
    :param power: what it draws; None when it is not known.
    :param creating: how many VMs are being created there.
    :param huge_pages_mib: memory set aside as huge pages, in MiB; a part of ``ram_mib``, as what is allocated of them
        is of ``allocated_ram_mib``.
    :param allocated_pinned_cpu: those of ``allocated_cpu`` that have threads of their own.
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
    architecture: str | None = None
    machines: frozenset[str] = frozenset()
    cpu_features: frozenset[str] = frozenset()
    networks: frozenset[str] | None = None
    bandwidth_mbps: int | None = None
    allocated_bandwidth_mbps: int = 0
    pools: Mapping[str, Pool] = field(default_factory=dict)
    images: frozenset[str] = frozenset()
    reachable_images: frozenset[str] | None = None
    reachable_volumes: frozenset[str] | None = None
    dedicated: frozenset[str] = frozenset()
    load_memory: float | None = None
    load_disk: float | None = None
    load_network: float | None = None
    load_pressure: float | None = None
    io_latency_ms: float | None = None
    failures: tuple[float, ...] = ()
    power: Power | None = None
    creating: int = 0
    huge_pages_mib: int = 0
    allocated_huge_pages_mib: int = 0
    allocated_pinned_cpu: float = 0
