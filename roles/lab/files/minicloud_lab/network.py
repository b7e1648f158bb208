# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's bridge and cables."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .command import run
from .description import Host, Lab
from .errors import LabError


def conflicts(
    lab: Lab, links: Iterable[dict[str, Any]], routes: Iterable[dict[str, Any]], others: Iterable[Lab]
) -> list[str]:
    """What on this machine already uses the lab's bridge or addresses.

    :param links: as ``ip -json address`` tells.
    :param routes: as ``ip -json route`` tells.
    :param others: the other labs' descriptions, running or not.
    """
    found = []
    for link in links:
        addresses = [item for item in link.get("addr_info", ()) if item["family"] == "inet"]
        if link["ifname"] == lab.bridge:
            wrong = [item["local"] for item in addresses if item["local"] != lab.gateway]
            found += [f"bridge {lab.bridge} exists with address {address}, not {lab.gateway}" for address in wrong]
            continue
        for item in addresses:
            if ipaddress.IPv4Interface(f"{item['local']}/{item['prefixlen']}").network.overlaps(lab.network):
                found.append(f"{link['ifname']} has {item['local']}/{item['prefixlen']}, which meets {lab.subnet}")
    for route in routes:
        if (
            route["dst"] != "default"
            and route.get("dev") != lab.bridge
            and ipaddress.IPv4Network(route["dst"]).overlaps(lab.network)
        ):
            found.append(
                f"there is a route to {route['dst']} by {route.get('dev', 'another way')}, which meets {lab.subnet}"
            )
    found += [
        f"lab {other.name} has {other.subnet}"
        for other in others
        if other.name != lab.name and other.network.overlaps(lab.network)
    ]
    return list(dict.fromkeys(found))


def check(lab: Lab, others: Iterable[Lab]) -> None:
    """Refuse a lab that would collide with what is here.

    :raises LabError: with everything that is in the way.
    """
    links = json.loads(run(["ip", "-json", "address"]))
    routes = json.loads(run(["ip", "-json", "-4", "route"]) or "[]")
    found = conflicts(lab, links, routes, others)
    if found:
        raise LabError(
            f"lab {lab.name} cannot have {lab.subnet} on bridge {lab.bridge}: {'; '.join(found)}. "
            "Choose another lab_subnet or lab_name"
        )


def up(lab: Lab) -> bool:
    """Make the lab's bridge with the machine's address on it; True if it was not there."""
    if exists(lab.bridge):
        return False
    run(["ip", "link", "add", "name", lab.bridge, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0"])
    run(["ip", "address", "add", f"{lab.gateway}/24", "dev", lab.bridge])
    run(["ip", "link", "set", lab.bridge, "up"])
    return True


def remove(interface: str) -> bool:
    """Remove a bridge or cable; True if it was there."""
    if not exists(interface):
        return False
    run(["ip", "link", "delete", interface])
    return True


def exists(interface: str) -> bool:
    """Whether the machine has such an interface."""
    return Path("/sys/class/net", interface).exists()


def plugged(lab: Lab, host: Host) -> bool:
    """Whether the machine's end of the host's cable is up."""
    try:
        return bool(int(Path("/sys/class/net", lab.cable(host), "flags").read_text(), 16) & 1)
    except FileNotFoundError:
        return False


def plug(lab: Lab, host: Host, *, connected: bool) -> bool:
    """Connect or cut the host's cable; True if that changed something.

    :raises LabError: the host is off and has no cable.
    """
    if not exists(lab.cable(host)):
        raise LabError(
            f"{host.name} of lab {lab.name} is off: its cable {lab.cable(host)} is not there; start it first"
        )
    if plugged(lab, host) == connected:
        return False
    run(["ip", "link", "set", lab.cable(host), "up" if connected else "down"])
    return True
