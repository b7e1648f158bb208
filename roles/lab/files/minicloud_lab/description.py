# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab consists of: pure values, no machine touched."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from .errors import LabError

# The longest name of a network interface is 15 characters, and nspawn names a host's end of the cable
# "vb-<lab>-node<n>": five characters are left for the lab's name when hosts have at most two digits.
_LAB_NAME = re.compile(r"[a-z][a-z0-9]{0,4}")
MAX_HOSTS = 99
_FIRST_ADDRESS = 10


@dataclass(frozen=True)
class Host:
    """One host of a lab.

    ``base`` and ``packages`` are the cached directories that it was made with: a disk must keep the layer below it, so
    a host keeps them for its life even when the cache has moved on.
    """

    name: str
    number: int
    address: str
    machine_id: str
    base: str
    packages: str


@dataclass(frozen=True)
class Lab:
    """A named set of hosts on a private /24 with a bridge of its own."""

    name: str
    subnet: str
    hosts: tuple[Host, ...] = ()

    @property
    def bridge(self) -> str:
        """Name of the bridge on the machine."""
        return f"mcbr-{self.name}"

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The lab's network."""
        return ipaddress.IPv4Network(self.subnet)

    @property
    def gateway(self) -> str:
        """The machine's own address on the bridge: the first of the network."""
        return str(self.network.network_address + 1)

    def machine(self, host: Host) -> str:
        """Name of the host among all machines of all labs here."""
        return f"{self.name}-{host.name}"

    def cable(self, host: Host) -> str:
        """Name of the machine's end of the host's network cable."""
        return f"vb-{self.machine(host)}"

    def host(self, name: str) -> Host:
        """Find a host.

        :raises LabError: the lab has no such host.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts) or "none"
        raise LabError(f"lab {self.name} has no host {name!r}; it has: {known}")


@dataclass(frozen=True)
class Wish:
    """A lab that someone asks for."""

    name: str
    subnet: str
    hosts: int
    base: str
    packages: str


def checked_name(name: str) -> str:
    """Return ``name`` if a lab may be called so.

    :raises LabError: it may not.
    """
    if not _LAB_NAME.fullmatch(name):
        raise LabError(
            f"lab name {name!r}: a small letter, then up to four small letters or digits, is right "
            "(the kernel's names of network interfaces leave no more)"
        )
    return name


def checked_subnet(subnet: str) -> str:
    """Return ``subnet`` in its usual spelling if a lab may use it.

    :raises LabError: it is not a private IPv4 /24.
    """
    try:
        network = ipaddress.IPv4Network(subnet)
    except ValueError as bad:
        raise LabError(f"lab subnet {subnet!r}: {bad}; a private /24 such as 10.77.0.0/24 is right") from bad
    if network.prefixlen != 24 or not network.is_private or network.is_loopback or network.is_link_local:
        raise LabError(f"lab subnet {subnet}: a private /24 such as 10.77.0.0/24 is right")
    return str(network)


def peers(lab: Lab) -> list[tuple[str, str]]:
    """Every (address, name) that the lab can ever have, so that a growing lab need not rewrite its hosts' files."""
    return [(_address(lab.network, number), f"node{number}") for number in range(1, MAX_HOSTS + 1)]


def grown(existing: Lab | None, wish: Wish, new_machine_id: Callable[[], str]) -> Lab:
    """The lab as it should be: what exists, and the hosts that the wish adds.

    A wish for fewer hosts than exist leaves the others alone.

    :raises LabError: the wish is not possible, or contradicts the lab that exists.
    """
    name, subnet = checked_name(wish.name), checked_subnet(wish.subnet)
    if not 1 <= wish.hosts <= MAX_HOSTS:
        raise LabError(f"lab {name}: {wish.hosts} hosts; 1 to {MAX_HOSTS} is right")
    if existing is not None and existing.subnet != subnet:
        raise LabError(
            f"lab {name} exists with subnet {existing.subnet}, not {subnet}; take it down first or use another name"
        )
    kept = existing.hosts if existing is not None else ()
    network = ipaddress.IPv4Network(subnet)
    added = tuple(
        Host(f"node{number}", number, _address(network, number), new_machine_id(), wish.base, wish.packages)
        for number in range(len(kept) + 1, wish.hosts + 1)
    )
    return Lab(name, subnet, kept + added)


def to_mapping(lab: Lab) -> dict[str, Any]:
    """The lab as plain data; `from_mapping` reads it."""
    return asdict(lab)


def from_mapping(data: dict[str, Any]) -> Lab:
    """The lab from what `to_mapping` gave."""
    return Lab(data["name"], data["subnet"], tuple(Host(**host) for host in data["hosts"]))


def _address(network: ipaddress.IPv4Network, number: int) -> str:
    return str(network.network_address + _FIRST_ADDRESS + number)
