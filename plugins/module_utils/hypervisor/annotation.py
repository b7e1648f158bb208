# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a domain remembers of its order beyond its identity: labels, what its seed was made from, and whether its
virtual CPUs are to have threads of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree

NAMESPACE: Final = "urn:minicloud:libvirt:order:1"
PREFIX: Final = "minicloud-order"


@dataclass(frozen=True)
class Annotation:
    """Kept in an element of its own, beside the identity that every reader relies on. ``seed`` is a digest.

    :param pinned: a virtual CPU that is bound to one thread may share it; this one is not to.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    seed: str = ""
    pinned: bool = False

    def to_element(self, namespace: str = "") -> ElementTree.Element:
        """The element; without a namespace it is what ``virDomainSetMetadata`` takes, which adds its own."""
        prefix = f"{{{namespace}}}" if namespace else ""
        element = ElementTree.Element(f"{prefix}order", {"seed": self.seed})
        if self.pinned:
            element.set("pinned", "yes")
        for name, value in sorted(self.labels.items()):
            ElementTree.SubElement(element, f"{prefix}label", {"name": name}).text = value
        return element

    def to_xml(self) -> str:
        return ElementTree.tostring(self.to_element(), encoding="unicode")


def read_annotation(domain: ElementTree.Element) -> Annotation:
    """Find the annotation in a domain's XML; an empty one when there is none."""
    element = domain.find(f"metadata/{{{NAMESPACE}}}order")
    if element is None:
        return Annotation()
    return Annotation(
        labels={label.get("name", ""): label.text or "" for label in element.iterfind(f"{{{NAMESPACE}}}label")},
        seed=element.get("seed", ""),
        pinned=element.get("pinned") == "yes",
    )
