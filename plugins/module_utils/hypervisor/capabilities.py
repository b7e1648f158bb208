# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a host's libvirt can run: accelerator, machine, CPU model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree

from ..model.errors import HypervisorError
from ..model.machine import FAMILIES
from .failure import explained

ACCELERATORS: Final = ("auto", "kvm", "tcg")

# libvirt's name of a domain type for each accelerator, best first.
_DOMAIN_TYPES: Final = {"kvm": "kvm", "tcg": "qemu"}
# A model that can be migrated under KVM; emulation has no real CPU to follow, so it gives all it has.
_CPU_MODES: Final = {"kvm": "host-model", "tcg": "maximum"}


@dataclass(frozen=True)
class HostCapabilities:
    """What a new domain is made of on this host. ``cpu_mode`` is empty where QEMU's default must do."""

    architecture: str
    accelerator: str
    machine: str
    cpu_mode: str

    @property
    def domain_type(self) -> str:
        return _DOMAIN_TYPES[self.accelerator]


@dataclass(frozen=True)
class Guest:
    """One architecture that a host can run, as ``virConnectGetCapabilities`` lists it."""

    accelerators: tuple[str, ...]
    machines: tuple[str, ...]


def read_host_uuid(xml: str) -> str:
    """The host's UUID from ``virConnectGetCapabilities``."""
    return ElementTree.fromstring(xml).findtext("host/uuid", default="")


def read_host_architecture(xml: str) -> str:
    """The architecture of the host's own CPU from ``virConnectGetCapabilities``."""
    return ElementTree.fromstring(xml).findtext("host/cpu/arch", default="x86_64")


def read_guest(xml: str, architecture: str) -> Guest | None:
    """What the host offers for one architecture; None when it cannot run it."""
    for element in ElementTree.fromstring(xml).iterfind("guest/arch"):
        if element.get("name") == architecture:
            types = {domain.get("type") for domain in element.iterfind("domain")}
            return Guest(
                accelerators=tuple(name for name, domain_type in _DOMAIN_TYPES.items() if domain_type in types),
                machines=tuple(machine.text or "" for machine in element.iterfind("machine")),
            )
    return None


def read_cpu_mode(xml: str, accelerator: str) -> str:
    """The CPU mode to ask for, from ``virConnectGetDomainCapabilities``; empty when the preferred one is missing."""
    wanted = _CPU_MODES[accelerator]
    for mode in ElementTree.fromstring(xml).iterfind("cpu/mode"):
        if mode.get("name") == wanted and mode.get("supported") == "yes":
            return wanted
    return ""


def choose(guest: Guest | None, architecture: str, accelerator: str, wanted: str = "") -> tuple[str, str]:
    """Accelerator and machine for a new domain.

    :param accelerator: ``auto`` for the best there is, or the one that must be used.
    :param wanted: the machine that it must be; empty for the best there is.
    :raises HypervisorError: when the host cannot run that.
    """
    if guest is None or not guest.accelerators:
        raise HypervisorError(
            f"this host has no emulator for {architecture}", hint=f"install QEMU's system emulator for {architecture}"
        )
    chosen = guest.accelerators[0] if accelerator == "auto" else accelerator
    if chosen not in guest.accelerators:
        raise HypervisorError(
            f"this host cannot run {architecture} guests with {accelerator}",
            hint="it has " + ", ".join(guest.accelerators),
        )
    known = FAMILIES.get(architecture, {})
    machine = next((name for name in ([wanted] if wanted else known) if name in guest.machines), "")
    if wanted and not machine:
        raise HypervisorError(
            f"this host has no machine type {wanted} for {architecture} guests",
            hint="it has " + ", ".join(name for name in guest.machines if name in known),
        )
    if not machine:
        raise HypervisorError(
            f"no machine type for {architecture} guests is known here",
            hint="known are " + (", ".join(known) or "none for that architecture"),
        )
    return chosen, machine


def read_capabilities(
    connection: Any, architecture: str, accelerator: str = "auto", machine: str = ""
) -> HostCapabilities:
    """Ask libvirt what a new domain of an architecture is to be made of.

    :param machine: the machine type that it must be; empty for the best there is.
    :raises HypervisorError: when the host cannot run that architecture, accelerator or machine.
    """
    with explained("read the host's capabilities"):
        guest = read_guest(connection.getCapabilities(), architecture)
    chosen, machine = choose(guest, architecture, accelerator, machine)
    with explained(f"read what {machine} machines can do"):
        xml = connection.getDomainCapabilities(None, architecture, machine, _DOMAIN_TYPES[chosen])
    return HostCapabilities(architecture, chosen, machine, read_cpu_mode(xml, chosen))
