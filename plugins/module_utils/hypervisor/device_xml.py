# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Elements of a domain's XML for the devices that an order names."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from ..model.order import NicOrder
from .definition import Disk, Seed

# Beyond the last disk that a spec may have, so that no disk ever wants its place.
SEED_TARGET = "vdz"


def disk_element(disk: Disk) -> Element:
    """A virtio disk over its volume. No host cache: a live migration may trust what is on the disk."""
    element = Element("disk", {"type": "block" if disk.block else "file", "device": "disk"})
    SubElement(element, "driver", {"name": "qemu", "type": disk.format, "cache": "none", "discard": "unmap"})
    SubElement(element, "source", {"dev" if disk.block else "file": disk.path})
    SubElement(element, "target", {"dev": disk.name, "bus": "virtio"})
    return element


def seed_element(seed: Seed) -> Element:
    """The seed as a read-only virtio disk: cloud kernels often have no driver for a SATA CD-ROM."""
    element = Element("disk", {"type": "file", "device": "disk"})
    SubElement(element, "driver", {"name": "qemu", "type": "raw"})
    SubElement(element, "source", {"file": seed.path})
    SubElement(element, "target", {"dev": SEED_TARGET, "bus": "virtio"})
    SubElement(element, "readonly")
    return element


def nic_element(nic: NicOrder) -> Element:
    element = Element("interface", {"type": "network"})
    SubElement(element, "mac", {"address": nic.mac})
    SubElement(element, "source", {"network": nic.network})
    SubElement(element, "model", {"type": nic.model})
    return element


def serial_element(log: str) -> Element:
    """A serial port whose output libvirt's log daemon appends to a file, restarts and migrations included."""
    element = Element("serial", {"type": "pty"})
    SubElement(element, "log", {"file": log, "append": "on"})
    SubElement(element, "target", {"port": "0"})
    return element


def agent_element() -> Element:
    element = Element("channel", {"type": "unix"})
    SubElement(element, "target", {"type": "virtio", "name": "org.qemu.guest_agent.0"})
    return element


def entropy_element() -> Element:
    element = Element("rng", {"model": "virtio"})
    SubElement(element, "backend", {"model": "random"}).text = "/dev/urandom"
    return element


def balloon_element(period: int) -> Element:
    """A balloon that reports the guest's memory every ``period`` seconds."""
    element = Element("memballoon", {"model": "virtio"})
    SubElement(element, "stats", {"period": str(period)})
    return element
