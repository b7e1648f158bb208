# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a host's libvirt networks about; the network role feeds this to the host's Python.

The one argument is JSON:
``{"check": bool, "networks": [{"name", "mode", "bridge", "address"?, "netmask"?, "range"?}]}``
with mode ``nat`` or ``bridge``; the addresses go with ``nat``. Prints ``{"changes": [str]}``; in check mode these are
what would be done.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from xml.etree import ElementTree

try:
    import libvirt
except ImportError:
    libvirt = None  # a bare host in check mode: everything is still to be done


def owned(network: dict[str, Any]) -> list[ElementTree.Element]:
    """The elements that this role sets; whatever else a network has (static leases, DNS records) stays."""
    forward = ElementTree.Element("forward", mode=network["mode"])
    bridge = ElementTree.Element("bridge", name=network["bridge"])
    if network["mode"] == "bridge":
        return [forward, bridge]
    address = ElementTree.Element("ip", address=network["address"], netmask=network["netmask"])
    start, end = network["range"]
    ElementTree.SubElement(ElementTree.SubElement(address, "dhcp"), "range", start=start, end=end)
    return [forward, bridge, address]


def facts(root: ElementTree.Element) -> dict[str, Any]:
    """What of a network's XML this role compares."""

    def attribute(path: str, name: str) -> str | None:
        element = root.find(path)
        return None if element is None else element.get(name)

    return {
        "mode": attribute("forward", "mode"),
        "bridge": attribute("bridge", "name"),
        "address": attribute("ip", "address"),
        "netmask": attribute("ip", "netmask"),
        "range": [attribute("ip/dhcp/range", "start"), attribute("ip/dhcp/range", "end")],
    }


def render(network: dict[str, Any], existing: str | None) -> str:
    """The network as libvirt's XML, over what is there already."""
    root = ElementTree.fromstring(existing or f"<network><name>{network['name']}</name></network>")
    for tag in ("forward", "bridge", "ip"):
        for element in root.findall(tag):
            root.remove(element)
    root.extend(owned(network))
    return ElementTree.tostring(root, encoding="unicode")


def wanted_facts(network: dict[str, Any]) -> dict[str, Any]:
    """What `facts` would say of the network if it were as wanted."""
    root = ElementTree.Element("network")
    root.extend(owned(network))
    return facts(root)


def attached(connection: Any, name: str) -> list[str]:
    """The running domains with an interface on the network."""
    return [
        domain.name()
        for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
        if any(
            source.get("network") == name
            for source in ElementTree.fromstring(domain.XMLDesc()).findall("devices/interface/source")
        )
    ]


def plan(network: dict[str, Any], existing: Any | None) -> list[str]:
    """The steps from what is there to what is wanted."""
    if existing is None:
        return ["define", "start", "autostart"]
    differs = facts(ElementTree.fromstring(existing.XMLDesc())) != wanted_facts(network)
    return [
        *(["stop"] if differs and existing.isActive() else []),
        *(["define"] if differs else []),
        *(["start"] if differs or not existing.isActive() else []),
        *([] if existing.autostart() else ["autostart"]),
    ]


def carry_out(steps: list[str], network: dict[str, Any], connection: Any, existing: Any | None) -> None:
    """Do the steps in order.

    :raises SystemExit: before the first, when running guests would lose their network.
    """
    if "stop" in steps:
        guests = attached(connection, network["name"])
        if guests:
            sys.exit(f"network {network['name']} cannot change under {', '.join(guests)}: stop or migrate them first")
        existing.destroy()
    if "define" in steps:
        old = None if existing is None else existing.XMLDesc(libvirt.VIR_NETWORK_XML_INACTIVE)
        existing = connection.networkDefineXML(render(network, old))
    if "start" in steps:
        existing.create()
    if "autostart" in steps:
        existing.setAutostart(1)


def connect(*, check: bool) -> Any | None:
    """A connection to the host's libvirtd; in check mode None where there is none yet."""
    if libvirt is None and not check:
        sys.exit("python3-libvirt is missing on the host: run the libvirt role first")
    if libvirt is None:
        return None
    libvirt.registerErrorHandler(lambda *_ignored: None, None)
    try:
        return libvirt.open("qemu:///system")
    except libvirt.libvirtError as error:
        if check:
            return None
        sys.exit(f"libvirtd does not answer: {error}")


def main() -> None:
    order = json.loads(sys.argv[1])
    connection = connect(check=order["check"])
    present = {} if connection is None else {each.name(): each for each in connection.listAllNetworks()}
    changes = []
    for network in order["networks"]:
        existing = present.get(network["name"])
        steps = plan(network, existing)
        changes += [f"{step} {network['name']}" for step in steps]
        if steps and not order["check"]:
            try:
                carry_out(steps, network, connection, existing)
            except libvirt.libvirtError as error:
                sys.exit(f"network {network['name']}: {error}")
    sys.stdout.write(json.dumps({"changes": changes}))


if __name__ == "__main__":
    main()
