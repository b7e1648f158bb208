# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From a definition to libvirt's domain XML: a new one, or changes to one that exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..model import metadata as identity
from ..model.metadata import DomainMetadata
from ..model.units import HUGE_PAGE_KIB
from . import annotation, device_xml
from .annotation import Annotation
from .capabilities import HostCapabilities
from .definition import Definition, KernelBoot
from .seat import set_seat

ElementTree.register_namespace(identity.PREFIX, identity.NAMESPACE)
ElementTree.register_namespace(annotation.PREFIX, annotation.NAMESPACE)

# Seconds between two readings of the guest's memory, as the observer wants them.
_BALLOON_PERIOD: Final = 5
_DESCRIPTION: Final = "Kept by minicloud, which puts right what other hands change."


def render_domain(definition: Definition, capabilities: HostCapabilities, console_log: str) -> str:
    """The XML of a new domain.

    :param definition: with the paths of its disks and seed filled in, and threads chosen where it is to have some.
    :param console_log: path of the file that receives the serial console's output.
    """
    domain = Element("domain", {"type": capabilities.domain_type})
    SubElement(domain, "name").text = definition.metadata.id
    SubElement(domain, "uuid").text = definition.uuid
    _set_identity(domain, definition)
    _set_size(domain, definition)
    _set_huge_pages(domain, definition)
    _set_boot(domain, definition.boot, capabilities)
    _add_platform(domain, capabilities)
    set_seat(domain, definition)
    devices = SubElement(domain, "devices")
    devices.extend(device_xml.disk_element(disk) for disk in definition.disks)
    if definition.seed is not None:
        devices.append(device_xml.seed_element(definition.seed))
    devices.extend(device_xml.nic_element(nic) for nic in definition.nics)
    devices.append(device_xml.serial_element(console_log))
    devices.append(device_xml.agent_element())
    devices.append(device_xml.entropy_element())
    devices.append(device_xml.balloon_element(_BALLOON_PERIOD))
    return _to_text(domain)


def change_domain(xml: str, definition: Definition, fields: frozenset[str]) -> str:
    """The XML of a domain that exists, with some of its fields as the definition has them.

    What minicloud does not own stays as it is, and so do the addresses of devices that stay.

    :param fields: keys of :func:`.drift.differences`.
    """
    domain = ElementTree.fromstring(xml)
    _set_identity(domain, definition)
    changes: dict[str, Callable[[Element, Definition], None]] = {
        "cpu": _set_size,
        "ram": _set_size,
        "boot": lambda element, wanted: _set_boot(element, wanted.boot, None),
        "disks": _change_disks,
        "nics": _change_nics,
        "cloud_init": _change_seed,
        "huge_pages": _set_huge_pages,
        "machine": _change_machine,
    }
    for field in sorted(fields & changes.keys()):
        changes[field](domain, definition)
    if moves_seat(definition, fields):
        set_seat(domain, definition)
    return _to_text(domain)


def moves_seat(definition: Definition, fields: frozenset[str]) -> bool:
    """Whether these changes of a domain change its seat, or what it holds."""
    seated = definition.pinned or bool(definition.numa)
    return bool(fields & {"pinned", "numa"}) or (seated and bool(fields & {"cpu", "ram"}))


def metadata_element(metadata: DomainMetadata) -> Element:
    """The identity as it stands in a domain's XML, in its namespace."""
    element = ElementTree.fromstring(metadata.to_xml())
    element.tag = f"{{{identity.NAMESPACE}}}{element.tag}"
    return element


def annotation_of(definition: Definition) -> Annotation:
    return Annotation(definition.labels, definition.seed.digest if definition.seed else "", definition.pinned)


def title_of(definition: Definition) -> str:
    return f"{definition.metadata.project}/{definition.metadata.name}"


def _set_identity(domain: Element, definition: Definition) -> None:
    _child(domain, "title").text = title_of(definition)
    _child(domain, "description").text = _DESCRIPTION
    holder = _child(domain, "metadata")
    for element in (
        metadata_element(definition.metadata),
        annotation_of(definition).to_element(annotation.NAMESPACE),
    ):
        for old in holder.findall(element.tag):
            holder.remove(old)
        holder.append(element)


def _set_size(domain: Element, definition: Definition) -> None:
    for name in ("memory", "currentMemory"):
        memory = _child(domain, name)
        memory.text = str(definition.ram)
        memory.set("unit", "MiB")
    vcpu = _child(domain, "vcpu")
    vcpu.text = str(definition.cpu)
    vcpu.attrib.pop("current", None)


def _set_huge_pages(domain: Element, definition: Definition) -> None:
    """Of one size on every host, so that a guest may move between them."""
    backing = domain.find("memoryBacking")
    if backing is not None:
        for old in backing.findall("hugepages"):
            backing.remove(old)
    if definition.huge_pages:
        pages = SubElement(_child(domain, "memoryBacking"), "hugepages")
        SubElement(pages, "page", {"size": str(HUGE_PAGE_KIB), "unit": "KiB"})


def _set_boot(domain: Element, boot: KernelBoot | None, capabilities: HostCapabilities | None) -> None:
    """Boot from a kernel where there is one, else from the first disk. Capabilities only for a new domain."""
    section = _child(domain, "os")
    if capabilities is not None:
        kind = SubElement(section, "type", {"arch": capabilities.architecture, "machine": capabilities.machine})
        kind.text = "hvm"
    for name in ("kernel", "initrd", "cmdline", "boot"):
        for old in section.findall(name):
            section.remove(old)
    if boot is None:
        SubElement(section, "boot", {"dev": "hd"})
        return
    for name, value in boot.to_mapping().items():
        if value:
            SubElement(section, name).text = value


def _add_platform(domain: Element, capabilities: HostCapabilities) -> None:
    features = SubElement(domain, "features")
    SubElement(features, "acpi")
    if capabilities.architecture == "x86_64":
        SubElement(features, "apic")
    if capabilities.cpu_mode:
        SubElement(domain, "cpu", {"mode": capabilities.cpu_mode})
    SubElement(domain, "clock", {"offset": "utc"})
    SubElement(domain, "on_poweroff").text = "destroy"
    SubElement(domain, "on_reboot").text = "restart"
    SubElement(domain, "on_crash").text = "destroy"


def _change_machine(domain: Element, definition: Definition) -> None:
    """Onto another board. Its slots are others: devices are put into them anew, and those that make slots are too."""
    kind = domain.find("os/type")
    if kind is not None:
        kind.set("machine", definition.machine)
    devices = _child(domain, "devices")
    for controller in devices.findall("controller"):
        if controller.get("type") in ("pci", "sata", "ide", "usb"):
            devices.remove(controller)
    for device in devices:
        for address in device.findall("address"):
            if address.get("type") == "pci":
                device.remove(address)


def _change_disks(domain: Element, definition: Definition) -> None:
    """Add disks that are new and take those away that are no longer wanted; their volumes are not this one's matter."""
    devices = _child(domain, "devices")
    present = {_target(element): element for element in devices.findall("disk")}
    wanted = {disk.name: disk for disk in definition.disks}
    for name, element in present.items():
        if name not in wanted and name != device_xml.SEED_TARGET:
            devices.remove(element)
    for name, disk in wanted.items():
        if name not in present:
            devices.append(device_xml.disk_element(disk))


def _change_nics(domain: Element, definition: Definition) -> None:
    devices = _child(domain, "devices")
    wanted = {nic.mac: nic for nic in definition.nics}
    kept = set()
    for element in devices.findall("interface"):
        nic = wanted.get(_mac(element))
        source, model = element.find("source"), element.find("model")
        same = (
            nic is not None
            and element.get("type") == "network"
            and source is not None
            and source.get("network") == nic.network
            and model is not None
            and model.get("type") == nic.model
        )
        if nic is not None and same:
            kept.add(nic.mac)
        else:
            devices.remove(element)
    devices.extend(device_xml.nic_element(nic) for mac, nic in wanted.items() if mac not in kept)


def _change_seed(domain: Element, definition: Definition) -> None:
    devices = _child(domain, "devices")
    for element in devices.findall("disk"):
        if _target(element) == device_xml.SEED_TARGET:
            devices.remove(element)
    if definition.seed is not None:
        devices.append(device_xml.seed_element(definition.seed))


def _target(element: Element) -> str:
    target = element.find("target")
    return "" if target is None else target.get("dev", "")


def _mac(element: Element) -> str:
    mac = element.find("mac")
    return "" if mac is None else mac.get("address", "").lower()


def _child(parent: Element, name: str) -> Element:
    child = parent.find(name)
    return SubElement(parent, name) if child is None else child


def _to_text(domain: Element) -> str:
    return ElementTree.tostring(domain, encoding="unicode")
