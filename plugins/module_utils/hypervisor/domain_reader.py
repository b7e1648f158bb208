# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From libvirt's domain XML to a definition."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ..model.metadata import DomainMetadata, read_metadata
from ..model.order import NicOrder
from .annotation import read_annotation
from .definition import Definition, Disk, KernelBoot, Seed
from .device_xml import SEED_TARGET
from .seat import is_pinned, read_nodes, read_threads

_UNITS: Final = {"b": 1, "bytes": 1, "KiB": 1024, "k": 1024, "MiB": 1024**2, "M": 1024**2, "GiB": 1024**3, "G": 1024**3}


def read_definition(xml: str) -> Definition:
    """Read the fields that minicloud owns.

    A domain that is not ours reads as well, with an identity made of libvirt's own name and an epoch of -1.
    """
    domain = ElementTree.fromstring(xml)
    name = domain.findtext("name", default="")
    annotation = read_annotation(domain)
    disks = [_read_disk(element) for element in domain.iterfind("devices/disk") if element.get("device") == "disk"]
    seed_path = next((disk.path for disk in disks if disk.name == SEED_TARGET), "")
    return Definition(
        uuid=domain.findtext("uuid", default="").lower(),
        metadata=read_metadata(xml) or DomainMetadata(name, name, "", "", -1),
        cpu=int(domain.findtext("vcpu", default="1")),
        ram=_read_memory(domain),
        boot=_read_boot(domain),
        disks=tuple(disk for disk in disks if disk.name != SEED_TARGET),
        nics=tuple(_read_nic(element) for element in domain.iterfind("devices/interface")),
        labels=annotation.labels,
        seed=Seed(annotation.seed, seed_path) if annotation.seed or seed_path else None,
        machine=_read_machine(domain),
        huge_pages=domain.find("memoryBacking/hugepages") is not None,
        pinned=is_pinned(domain),
        numa=read_nodes(domain),
        threads=read_threads(domain),
    )


def _read_machine(domain: Element) -> str:
    kind = domain.find("os/type")
    return "" if kind is None else kind.get("machine", "")


def _read_memory(domain: Element) -> int:
    memory = domain.find("memory")
    if memory is None:
        return 0
    return int(memory.text or 0) * _UNITS.get(memory.get("unit", "KiB"), 1024) // 1024**2


def _read_boot(domain: Element) -> KernelBoot | None:
    kernel = domain.findtext("os/kernel", default="")
    if not kernel:
        return None
    return KernelBoot(kernel, domain.findtext("os/initrd", default=""), domain.findtext("os/cmdline", default=""))


def _read_disk(element: Element) -> Disk:
    source, target, driver = element.find("source"), element.find("target"), element.find("driver")
    return Disk(
        name="" if target is None else target.get("dev", ""),
        path="" if source is None else source.get("file") or source.get("dev") or "",
        block=element.get("type") == "block",
        format="raw" if driver is None else driver.get("type", "raw"),
    )


def _read_nic(element: Element) -> NicOrder:
    source, mac, model = element.find("source"), element.find("mac"), element.find("model")
    return NicOrder(
        network="" if source is None else source.get("network") or source.get("bridge") or "",
        mac="" if mac is None else mac.get("address", "").lower(),
        model="" if model is None else model.get("type", ""),
    )
