# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is to be placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from .grain import grains
from .spread import Spread

DEFAULT_PROJECT: Final = "default"

# Virtual CPUs, MiB and NUMA nodes.
Shape = tuple[float, int, int]


@dataclass(frozen=True)
class Request:
    """One VM that wants a host.

    Of other VMs it speaks in terms (see ``model.term``): ``vm:ID``, ``group:NAME`` or a label, ``KEY=VALUE``.

    :param cpu: virtual CPUs.
    :param ram_mib: memory, in MiB.
    :param disk_bytes: its disks that name no pool, in bytes.
    :param host: the only host that will do; None for any.
    :param labels: the VM's labels.
    :param exclude: hosts that will not do: where it runs already, where it just failed.
    :param numa: over how many of a host's NUMA nodes it lies, in equal parts; 0 when it does not care.
    :param project: whose it is.
    :param group: the group of VMs that it is one of.
    :param priority: the larger, the more it matters.
    :param host_labels: labels that the host must carry, every one.
    :param architecture: the processor's, such as ``x86_64``; None for any. Likewise ``machine``, the machine type.
    :param cpu_features: what the host's processors must have.
    :param networks: those that must reach the host.
    :param bandwidth_mbps: what it takes of the host's network, in megabits a second.
    :param pools: what it takes of each pool that its disks name, in bytes.
    :param image: the image that it starts from.
    :param volumes: the volumes that the host must reach.
    :param affinity: where one VM of every term is. ``anti_affinity``: where none of any is.
    :param prefer_with: the same as a wish, as is ``prefer_apart``.
    :param spread: how many of its kind may share a failure domain.
    :param pinned: whether its virtual CPUs have threads of their own, on which nobody else's run.
    :param huge_pages: whether its memory comes from the host's huge pages.
    :param source: for a VM that moves, and is counted nowhere meanwhile, the host that it comes from: what the fleet
        lacks already is not held against it.
    :param vm: its id, if it has one yet; read where another VM keeps away from it by that.
    """

    cpu: float
    ram_mib: int
    disk_bytes: int = 0
    host: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()
    numa: int = 0
    project: str = DEFAULT_PROJECT
    group: str | None = None
    priority: int = 0
    host_labels: Mapping[str, str] = field(default_factory=dict)
    architecture: str | None = None
    machine: str | None = None
    cpu_features: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    bandwidth_mbps: int = 0
    pools: Mapping[str, int] = field(default_factory=dict)
    image: str | None = None
    volumes: frozenset[str] = frozenset()
    affinity: tuple[str, ...] = ()
    anti_affinity: tuple[str, ...] = ()
    prefer_with: tuple[str, ...] = ()
    prefer_apart: tuple[str, ...] = ()
    spread: tuple[Spread, ...] = ()
    pinned: bool = False
    huge_pages: bool = False
    source: str | None = None
    vm: str | None = None

    @cached_property
    def cpu_grains(self) -> int:
        """Its virtual CPUs as they are counted."""
        return grains(self.cpu)

    def on_each(self, nodes: int) -> tuple[int, int]:
        """What it takes of each of so many NUMA nodes: grains and MiB, rounded up, so that no node is overfilled."""
        return -(-self.cpu_grains // nodes), -(-self.ram_mib // nodes)

    @property
    def shape(self) -> Shape:
        """What two VMs have in common that are alike to a host's virtual CPUs and memory."""
        return self.cpu, self.ram_mib, self.numa

    @cached_property
    def key(self) -> tuple[object, ...]:
        """All that rules read of it, but for what others say of it: requests with one key get one answer, as long as
        nobody keeps away from one of them by its group, its labels or its id."""
        return (
            self.cpu,
            self.ram_mib,
            self.disk_bytes,
            self.numa,
            self.host,
            self.exclude,
            self.project,
            _items(self.host_labels),
            self.architecture,
            self.machine,
            self.cpu_features,
            self.networks,
            self.bandwidth_mbps,
            _items(self.pools),
            self.image,
            self.volumes,
            self.affinity,
            self.anti_affinity,
            self.prefer_with,
            self.prefer_apart,
            self.pinned,
            self.huge_pages,
            self.source,
            self.spread and (self.spread, self.group, tuple(self.labels.get(one.label or "") for one in self.spread)),
        )


def _items(mapping: Mapping[str, str] | Mapping[str, int]) -> tuple[tuple[str, str | int], ...]:
    return tuple(sorted(mapping.items())) if mapping else ()
