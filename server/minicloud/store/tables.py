"""All tables, imported in one place so that their metadata is whole."""

from __future__ import annotations

from . import (
    allocation,
    audit,
    counter,
    domain,
    event,
    host,
    idempotency,
    image,
    operation,
    operation_event,
    placement,
    project,
    reservation,
    run,
    token,
    vm,
)
from .base import Base

__all__ = [
    "allocation",
    "audit",
    "counter",
    "domain",
    "event",
    "host",
    "idempotency",
    "image",
    "metadata",
    "operation",
    "operation_event",
    "placement",
    "project",
    "reservation",
    "run",
    "token",
    "vm",
]

metadata = Base.metadata
