# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The seat of a VM that moves: other threads are free at its destination, and its NUMA nodes have other numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from xml.etree import ElementTree

from ..model.errors import HypervisorError, InputError, Problem
from .binding import libvirt
from .definition import Definition
from .failure import explained
from .inspection import Inspection, lookup_uuid
from .seat import Seat, seat_on, set_seat, threads_taken
from .topology import read_topology

# How often a VM looks for threads anew that another one took in the same moment.
_TRIES: Final = 5


class MigrationSeat:
    """Where one VM is to sit at its destination.

    :param nodes: NUMA nodes there, one for each of the guest's; empty for those of the same numbers.
    :raises InputError: when they are not as many as the guest has.
    """

    def __init__(self, destination: Any, source: Inspection, nodes: tuple[int, ...]) -> None:
        self._destination = destination
        self._source = source
        known = source.definition
        if nodes and len(nodes) != len(known.numa):
            message = f"{len(nodes)} nodes for a guest that has {len(known.numa)}"
            raise InputError([Problem("numa", message, "one for each of the guest's")])
        self._definition = replace(known, numa=nodes or known.numa, threads=())

    def parameters(self) -> dict[str, Any]:
        """What libvirt is to make of the domain there, as typed parameters; none for a VM that may sit anywhere.

        :raises HypervisorError: when it finds no seat there.
        """
        if Seat.of(self._definition).anywhere:
            return {}
        seated = replace(self._definition, threads=seat_on(self._destination, self._definition))
        domain = self._source.domain
        with explained(f"read {self._definition.metadata.id}"):
            flags = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE
            kept = domain.XMLDesc(flags | libvirt.VIR_DOMAIN_XML_INACTIVE)
            there = domain.XMLDesc(flags) if domain.isActive() else kept
        return {
            libvirt.VIR_MIGRATE_PARAM_DEST_XML: _with_seat(there, seated),
            libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: _with_seat(kept, seated),
        }

    def settle(self) -> None:
        """See whether the threads are its own still: two VMs that arrived at once may have chosen the same.

        :raises HypervisorError: when there are none left that it could have instead.
        """
        if not self._definition.pinned:
            return
        for _attempt in range(_TRIES):
            domain = lookup_uuid(self._destination, self._definition.uuid)
            if domain is None or not self._is_shared(domain):
                return
            self._pin(domain)
        raise HypervisorError(
            f"{self._definition.metadata.id} shares threads with others at its destination",
            hint="the VM runs there; start it again once the others have arrived",
        )

    def _is_shared(self, domain: Any) -> bool:
        with explained(f"read where {self._definition.metadata.id} runs"):
            mine = {
                thread
                for allowed in domain.vcpuPinInfo(libvirt.VIR_DOMAIN_AFFECT_CONFIG)
                for thread, may_run in enumerate(allowed)
                if may_run
            }
        return not mine.isdisjoint(threads_taken(self._destination, self._definition.uuid))

    def _pin(self, domain: Any) -> None:
        chosen = seat_on(self._destination, self._definition)
        with explained(f"pin {self._definition.metadata.id}"):
            count = max(read_topology(self._destination.getCapabilities()).threads) + 1
            flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
            if domain.isActive():
                flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
            for vcpu, threads in enumerate(chosen):
                domain.pinVcpuFlags(vcpu, tuple(thread in threads for thread in range(count)), flags)


def _with_seat(xml: str, seated: Definition) -> str:
    domain = ElementTree.fromstring(xml)
    set_seat(domain, seated)
    return ElementTree.tostring(domain, encoding="unicode")
