# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host's NUMA nodes and the threads of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element


@dataclass(frozen=True)
class Topology:
    """:param nodes: for each NUMA node by its number its threads, those of one core side by side."""

    nodes: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def threads(self) -> tuple[int, ...]:
        """Those of all nodes, node by node."""
        return tuple(thread for node in sorted(self.nodes) for thread in self.nodes[node])


def read_topology(capabilities: str) -> Topology:
    """What ``virConnectGetCapabilities`` says of it."""
    cells = ElementTree.fromstring(capabilities).iterfind("host/topology/cells/cell")
    return Topology({int(cell.get("id", "0")): _threads(cell) for cell in cells})


def _threads(cell: Element) -> tuple[int, ...]:
    """A core is told by the first of the threads that share it."""
    found = [(min(read_set(cpu.get("siblings", "")), default=0), int(cpu.get("id", "0"))) for cpu in cell.iter("cpu")]
    return tuple(thread for _core, thread in sorted(found))


def read_set(text: str) -> frozenset[int]:
    """Numbers as libvirt writes sets of them: ``0-3,8,^2``."""
    found: set[int] = set()
    without: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _dash, last = part.lstrip("^").partition("-")
        (without if part.startswith("^") else found).update(range(int(first), int(last or first) + 1))
    return frozenset(found - without)


def write_set(numbers: frozenset[int]) -> str:
    return ",".join(map(str, sorted(numbers)))
