# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""In what a domain differs from what it is to be. Only fields that minicloud owns are compared."""

from __future__ import annotations

from typing import Any

from ..model.machine import is_machine
from .definition import Definition, Disk


def differences(existing: Definition, wanted: Definition) -> dict[str, tuple[Any, Any]]:
    """Compare two definitions of one VM.

    Disks are told apart by their target and NICs by their MAC, in whatever order they come. The epoch is not a
    difference: it says who wrote last, not what the VM is. Nor are the threads that were chosen for it, or the version
    that a machine is of.

    :returns: for each field that differs, what it is and what it is to be.
    """
    pairs: dict[str, tuple[Any, Any]] = {
        "name": (existing.metadata.name, wanted.metadata.name),
        "project": (existing.metadata.project, wanted.metadata.project),
        "spec_hash": (existing.metadata.spec_hash, wanted.metadata.spec_hash),
        "cpu": (existing.cpu, wanted.cpu),
        "ram": (existing.ram, wanted.ram),
        "boot": (existing.boot, wanted.boot),
        "disks": (_disks(existing, existing), _disks(wanted, existing)),
        "nics": (
            {nic.mac: (nic.network, nic.model) for nic in existing.nics},
            {nic.mac: (nic.network, nic.model) for nic in wanted.nics},
        ),
        "labels": (dict(existing.labels), dict(wanted.labels)),
        "cloud_init": (_seed(existing), _seed(wanted)),
        "huge_pages": (existing.huge_pages, wanted.huge_pages),
        "pinned": (existing.pinned, wanted.pinned),
        "numa": (existing.numa, wanted.numa),
    }
    if not is_machine(existing.machine, wanted.machine or existing.machine):
        pairs["machine"] = (existing.machine, wanted.machine)
    return {field: pair for field, pair in pairs.items() if pair[0] != pair[1]}


def grown_disks(existing: Definition, wanted: Definition) -> list[tuple[Disk, int]]:
    """Disks whose size is to change, each with the size it is to have; a size of 0 asks for nothing."""
    sizes = {disk.name: disk.size for disk in wanted.disks}
    return [
        (disk, sizes[disk.name])
        for disk in existing.disks
        if sizes.get(disk.name) and disk.size and sizes[disk.name] != disk.size
    ]


def _disks(definition: Definition, existing: Definition) -> dict[str, int]:
    known = {disk.name: disk.size for disk in existing.disks}
    return {disk.name: disk.size or known.get(disk.name, 0) for disk in definition.disks}


def _seed(definition: Definition) -> str:
    return definition.seed.digest if definition.seed else ""
