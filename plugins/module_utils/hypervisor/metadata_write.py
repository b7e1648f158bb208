# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Writing what a domain says about itself, into its definition and into the running guest's."""

from __future__ import annotations

from typing import Any

from ..model import metadata as identity
from ..model.metadata import DomainMetadata
from . import annotation
from .annotation import Annotation
from .binding import libvirt
from .failure import explained


def write_metadata(domain: Any, metadata: DomainMetadata) -> None:
    """Write whose domain it is."""
    _write(domain, libvirt.VIR_DOMAIN_METADATA_ELEMENT, metadata.to_xml(), identity.PREFIX, identity.NAMESPACE)


def write_annotation(domain: Any, note: Annotation) -> None:
    _write(domain, libvirt.VIR_DOMAIN_METADATA_ELEMENT, note.to_xml(), annotation.PREFIX, annotation.NAMESPACE)


def write_title(domain: Any, title: str) -> None:
    _write(domain, libvirt.VIR_DOMAIN_METADATA_TITLE, title, None, None)


def _write(domain: Any, kind: int, text: str, prefix: str | None, namespace: str | None) -> None:
    flags = 0
    with explained("write a domain's metadata"):
        if domain.isPersistent():
            flags |= libvirt.VIR_DOMAIN_AFFECT_CONFIG
        if domain.isActive():
            flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
        domain.setMetadata(kind, text, prefix, namespace, flags)
