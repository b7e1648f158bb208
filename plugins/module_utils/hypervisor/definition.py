# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The part of a domain that is minicloud's, apart from how libvirt writes it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model.metadata import DomainMetadata
from ..model.order import NicOrder


@dataclass(frozen=True)
class KernelBoot:
    """Direct kernel boot: paths on the host, and the kernel's command line."""

    kernel: str
    initrd: str = ""
    cmdline: str = ""

    def to_mapping(self) -> dict[str, str]:
        return {"kernel": self.kernel, "initrd": self.initrd, "cmdline": self.cmdline}


@dataclass(frozen=True)
class Disk:
    """A disk of the guest.

    :param name: the guest's device, ``vda``.
    :param size: bytes; 0 when unknown, or when it is to be as large as the image under it.
    :param path: of the volume on the host; empty as long as there is none.
    :param block: whether the path is a block device.
    :param format: ``qcow2`` or ``raw``.
    """

    name: str
    size: int = 0
    path: str = ""
    block: bool = False
    format: str = "qcow2"


@dataclass(frozen=True)
class Seed:
    """A NoCloud seed. ``digest`` is the SHA-256 of what it was made from; ``path`` as for a disk."""

    digest: str
    path: str = ""


@dataclass(frozen=True)
class Definition:
    """A domain, as far as minicloud owns it. ``ram`` in MiB.

    :param machine: the machine type; empty for the host's best.
    :param huge_pages: whether its memory comes from the host's huge pages.
    :param pinned: whether each of its virtual CPUs has a thread for itself.
    :param numa: the host's NUMA nodes, one for each of the guest's; empty for a guest that has none.
    :param threads: for each virtual CPU those on which it may run; empty for all, or as long as none were chosen.
    """

    uuid: str
    metadata: DomainMetadata
    cpu: int
    ram: int
    boot: KernelBoot | None = None
    disks: tuple[Disk, ...] = ()
    nics: tuple[NicOrder, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    seed: Seed | None = None
    machine: str = ""
    huge_pages: bool = False
    pinned: bool = False
    numa: tuple[int, ...] = ()
    threads: tuple[frozenset[int], ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """For people: what a diff shows. The epoch is left out, since it says nothing about the VM."""
        mapping: dict[str, Any] = {
            "name": self.metadata.name,
            "project": self.metadata.project,
            "spec_hash": self.metadata.spec_hash,
            "cpu": self.cpu,
            "ram": self.ram,
            "boot": None if self.boot is None else self.boot.to_mapping(),
            "disks": [{"name": disk.name, "size": disk.size} for disk in self.disks],
            "nics": [{"network": nic.network, "mac": nic.mac, "model": nic.model} for nic in self.nics],
            "labels": dict(self.labels),
            "machine": self.machine,
            "huge_pages": self.huge_pages,
            "pinned": self.pinned,
            "numa": [*self.numa],
        }
        return mapping if self.seed is None else {**mapping, "cloud_init": self.seed.digest}
