"""Certificates, as services show them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SignedCertificate:
    """A host's certificate and its authority's, both as PEM text."""

    certificate: str
    ca: str
