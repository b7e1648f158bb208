# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which VMs a host has, for people and programs."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .binding import libvirt
from .failure import explained
from .inspection import Inspection, list_domains


@dataclass(frozen=True)
class DomainFilter:
    """Which domains to list. None does not restrict."""

    identities: frozenset[str] | None = None
    managed: bool | None = None
    states: frozenset[str] | None = None

    @classmethod
    def of(cls, identities: Sequence[str] | None, managed: bool | None, states: Sequence[str] | None) -> DomainFilter:
        return cls(
            None if identities is None else frozenset(identity.lower() for identity in identities),
            managed,
            None if states is None else frozenset(states),
        )

    def accepts(self, found: Inspection) -> bool:
        metadata = found.definition.metadata
        names = {metadata.id.lower(), metadata.name.lower(), found.definition.uuid}
        return (
            (self.identities is None or not names.isdisjoint(self.identities))
            and self.managed in (None, found.managed)
            and (self.states is None or found.state in self.states)
        )


def vm_facts(connection: Any, wanted: DomainFilter, *, addresses: bool = False) -> list[dict[str, Any]]:
    """The domains that a filter accepts, by id.

    :param addresses: also ask networks and guest agents for IP addresses.
    """
    accepted = [found for found in list_domains(connection) if wanted.accepts(found)]
    return [{**_facts(found), **({"addresses": _addresses(found.domain)} if addresses else {})} for found in accepted]


def _facts(found: Inspection) -> dict[str, Any]:
    definition = found.definition
    with explained(f"read {definition.metadata.id}"):
        autostart = bool(found.domain.autostart()) if found.domain.isPersistent() else False
    return {
        "id": definition.metadata.id,
        "uuid": definition.uuid,
        "managed": found.managed,
        "epoch": definition.metadata.epoch,
        "state": found.state,
        "state_reason": found.state_reason,
        "restart_required": found.restart_required,
        "autostart": autostart,
        **definition.to_mapping(),
        "disks": [{"name": disk.name, "size": disk.size, "path": disk.path} for disk in definition.disks],
    }


def _addresses(domain: Any) -> list[str]:
    """IP addresses that libvirt's DHCP leases or the guest's agent tell; the agent only where it answers."""
    for source in (
        libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE,
        libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT,
    ):
        try:
            interfaces = domain.interfaceAddresses(source)
        except libvirt.libvirtError:
            continue
        found = {entry["addr"] for interface in interfaces.values() for entry in interface["addrs"] or ()}
        foreign = {address for address in found if not ipaddress.ip_address(address).is_loopback}
        if foreign:
            return sorted(foreign)
    return []
