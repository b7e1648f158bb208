# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What every domain of ours carries, so that a host alone can say whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

NAMESPACE: Final = "urn:minicloud:libvirt:1"
PREFIX: Final = "minicloud"


@dataclass(frozen=True)
class DomainMetadata:
    """Identity of a VM on its host. ``epoch`` is that of the last operation that wrote the domain."""

    id: str
    name: str
    project: str
    spec_hash: str
    epoch: int

    def to_xml(self) -> str:
        """The element as libvirt's ``setMetadata`` takes it, without a prefix."""
        return (
            f"<vm id={quoteattr(self.id)} name={quoteattr(self.name)} project={quoteattr(self.project)}"
            f" spec_hash={quoteattr(self.spec_hash)} epoch={quoteattr(str(self.epoch))}/>"
        )


def read_metadata(xml: str) -> DomainMetadata | None:
    """Find our element in a domain's XML or in what ``domain.metadata()`` answers.

    :returns: None where there is none, or it is damaged: such a domain counts as unmanaged.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None
    for element in root.iter():
        if element.tag in (f"{{{NAMESPACE}}}vm", "vm") and element.get("spec_hash") is not None:
            return _from_element(element)
    return None


def _from_element(element: ElementTree.Element) -> DomainMetadata | None:
    values = {key: element.get(key) for key in ("id", "name", "project", "spec_hash", "epoch")}
    if any(value is None for value in values.values()):
        return None
    try:
        epoch = int(values["epoch"] or "")
    except ValueError:
        return None
    return DomainMetadata(
        str(values["id"]), str(values["name"]), str(values["project"]), str(values["spec_hash"]), epoch
    )
