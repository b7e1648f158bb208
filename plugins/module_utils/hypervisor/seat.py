# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A guest's seat on its host: on which threads its virtual CPUs run, and in which NUMA nodes its memory lies."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..model.errors import HypervisorError
from ..model.metadata import read_metadata
from .annotation import read_annotation
from .binding import libvirt
from .definition import Definition
from .failure import NO_DOMAIN, explained, tolerating
from .topology import Topology, read_set, read_topology, write_set

Threads = frozenset[int]


@dataclass(frozen=True)
class Seat:
    """Where a guest is to sit.

    :param pinned: whether each of its virtual CPUs has a thread for itself.
    :param nodes: the host's NUMA nodes, one for each of the guest's; empty for a guest that has none.
    """

    cpu: int
    pinned: bool = False
    nodes: tuple[int, ...] = ()

    @classmethod
    def of(cls, definition: Definition) -> Seat:
        return cls(definition.cpu, definition.pinned, definition.numa)

    @property
    def anywhere(self) -> bool:
        """Whether nothing is asked."""
        return not self.pinned and not self.nodes

    def node_of(self, vcpu: int) -> int | None:
        """The host's node of a virtual CPU: the guest's nodes have equal parts of them, in order."""
        return self.nodes[vcpu * len(self.nodes) // self.cpu] if self.nodes else None


def choose_threads(seat: Seat, topology: Topology, taken: Collection[int]) -> tuple[Threads, ...]:
    """For each virtual CPU the host's threads on which it may run; none at all where nothing is asked.

    :param taken: threads that somebody has for himself.
    :raises HypervisorError: when the host has no such node, or too few threads that nobody has for himself.
    """
    if seat.anywhere:
        return ()
    unknown = [node for node in seat.nodes if not topology.nodes.get(node)]
    if unknown:
        raise HypervisorError(
            f"this host has no NUMA node {unknown[0]} with CPUs",
            hint="it has " + (", ".join(map(str, sorted(topology.nodes))) or "told of none"),
        )
    homes = [seat.node_of(vcpu) for vcpu in range(seat.cpu)]
    if not seat.pinned:
        whole = {node: frozenset(topology.nodes[node]) for node in seat.nodes}
        return tuple(whole[node] for node in homes if node is not None)
    free = {node: _free(topology, node, taken) for node in {*homes}}
    return tuple(frozenset({_next(free[node], node, seat)}) for node in homes)


def _free(topology: Topology, node: int | None, taken: Collection[int]) -> Iterator[int]:
    threads = topology.threads if node is None else topology.nodes[node]
    return (thread for thread in threads if thread not in taken)


def _next(free: Iterator[int], node: int | None, seat: Seat) -> int:
    for thread in free:
        return thread
    where = "this host" if node is None else f"NUMA node {node} of this host"
    raise HypervisorError(
        f"{where} has too few threads that no other VM has for itself: {seat.cpu} are wanted",
        hint="place the VM elsewhere, or have fewer pinned VMs here",
    )


def threads_taken(connection: Any, without: str) -> Threads:
    """The host's threads that VMs of ours have for themselves, running or not.

    :param without: the UUID of the VM that asks.
    """
    taken: set[int] = set()
    with explained("list domains"):
        for domain in connection.listAllDomains(0):
            with tolerating(NO_DOMAIN):
                xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
                if domain.UUIDString() != without and read_metadata(xml) is not None:
                    element = ElementTree.fromstring(xml)
                    if is_pinned(element):
                        taken |= {thread for threads in read_threads(element) for thread in threads}
    return frozenset(taken)


def seat_on(connection: Any, definition: Definition) -> tuple[Threads, ...]:
    """Choose threads for a domain on the host of a connection, as :func:`choose_threads` does.

    What it chooses for a pinned one is taken once that is defined: until then the caller keeps others from choosing.
    """
    seat = Seat.of(definition)
    if seat.anywhere:
        return ()
    with explained("read the host's capabilities"):
        topology = read_topology(connection.getCapabilities())
    taken = threads_taken(connection, definition.uuid) if seat.pinned else frozenset()
    return choose_threads(seat, topology, taken)


def set_seat(domain: Element, definition: Definition) -> None:
    """Write a definition's seat into a domain's XML, over whatever seat there is."""
    _clear(domain)
    if definition.threads:
        tuning = _child(domain, "cputune")
        for vcpu, threads in enumerate(definition.threads):
            SubElement(tuning, "vcpupin", {"vcpu": str(vcpu), "cpuset": write_set(threads)})
    if definition.numa:
        binding, cells = _child(domain, "numatune"), SubElement(_child(domain, "cpu"), "numa")
        for cell, node in enumerate(definition.numa):
            SubElement(binding, "memnode", {"cellid": str(cell), "mode": "strict", "nodeset": str(node)})
            cells.append(_cell(definition, cell))


def read_threads(domain: Element) -> tuple[Threads, ...]:
    """For each virtual CPU in order the threads to which it is bound; none at all when one is not."""
    bound = {int(pin.get("vcpu", "0")): read_set(pin.get("cpuset", "")) for pin in domain.iterfind("cputune/vcpupin")}
    cpu = int(domain.findtext("vcpu", default="1"))
    return tuple(bound[vcpu] for vcpu in range(cpu)) if bound.keys() >= set(range(cpu)) else ()


def read_nodes(domain: Element) -> tuple[int, ...]:
    """The host's NUMA nodes to which each of the guest's is bound; none at all when one is not, or its CPUs are not."""
    bound = {
        int(node.get("cellid", "0")): read_set(node.get("nodeset", ""))
        for node in domain.iterfind("numatune/memnode")
        if node.get("mode") == "strict"
    }
    cells = len(domain.findall("cpu/numa/cell"))
    whole = all(len(bound.get(cell, ())) == 1 for cell in range(cells))
    return tuple(min(bound[cell]) for cell in range(cells)) if whole and read_threads(domain) else ()


def is_pinned(domain: Element) -> bool:
    """Whether it was made for threads of its own, and has one for each of its virtual CPUs."""
    threads = read_threads(domain)
    alone = all(len(one) == 1 for one in threads) and len({*threads}) == len(threads)
    return read_annotation(domain).pinned and bool(threads) and alone


def _cell(definition: Definition, cell: int) -> Element:
    """One of the guest's nodes: an equal part of its virtual CPUs, and of its memory."""
    seat, many = Seat.of(definition), len(definition.numa)
    vcpus = [vcpu for vcpu in range(seat.cpu) if vcpu * many // seat.cpu == cell]
    memory = definition.ram * 1024 // many + (definition.ram * 1024 % many if cell == 0 else 0)
    return Element("cell", {"id": str(cell), "cpus": write_set(frozenset(vcpus)), "memory": str(memory), "unit": "KiB"})


def _clear(domain: Element) -> None:
    for path, name in (("cputune", "vcpupin"), ("numatune", "memnode"), ("cpu", "numa")):
        parent = domain.find(path)
        if parent is None:
            continue
        for old in parent.findall(name):
            parent.remove(old)
        if not len(parent) and not parent.attrib:
            domain.remove(parent)


def _child(parent: Element, name: str) -> Element:
    child = parent.find(name)
    return SubElement(parent, name) if child is None else child
