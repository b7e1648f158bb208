# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From an order to the definition that it asks for."""

from __future__ import annotations

from pathlib import Path

from ..model.errors import InputError, Problem
from ..model.metadata import DomainMetadata
from ..model.order import VmOrder
from .completion import VmRequest
from .definition import Definition, Disk, KernelBoot, Seed
from .image import kernel_boot
from .seed import seed_digest


def wanted_definition(request: VmRequest, cache: Path, known: Definition | None) -> Definition:
    """The definition that a complete order asks for; paths of disks and of a new seed are still to be filled in.

    :param cache: the host's image cache.
    :param known: what exists. A seed that the order does not name stays.
    :raises InputError: when a new disk has no size and no image to take it from.
    """
    order = request.order
    _check_sizes(order, known)
    if order.cloud_init is not None:
        seed: Seed | None = Seed(seed_digest(order.cloud_init))
    else:
        seed = known.seed if known is not None else None
    return Definition(
        uuid=order.uuid,
        metadata=DomainMetadata(order.id, order.name, order.project, order.spec_hash, order.epoch),
        cpu=order.cpu,
        ram=order.ram,
        boot=_boot(request, cache),
        disks=tuple(Disk(disk.name, disk.size) for disk in order.disks),
        nics=order.nics,
        labels=order.labels,
        seed=seed,
        machine=order.machine or (known.machine if known is not None else ""),
        huge_pages=order.huge_pages,
        pinned=order.pinned,
        numa=order.numa,
    )


def overlaid_disk(order: VmOrder) -> str:
    """The name of the disk that lies over the order's image; empty when none does."""
    if order.image is None or order.image.kind != "disk" or not order.disks:
        return ""
    return order.disks[0].name


def _boot(request: VmRequest, cache: Path) -> KernelBoot | None:
    image = request.order.image
    if request.boot is not None or image is None:
        return request.boot
    return kernel_boot(cache, image, request.order.name)


def _check_sizes(order: VmOrder, known: Definition | None) -> None:
    existing = {disk.name for disk in known.disks} if known else set()
    problems = [
        Problem(f"disks.{index}.size", "a blank disk needs a size", 'text such as "10G", or bytes')
        for index, disk in enumerate(order.disks)
        if not disk.size and disk.name not in existing and disk.name != overlaid_disk(order)
    ]
    if problems and order.state != "absent":
        raise InputError(problems)
