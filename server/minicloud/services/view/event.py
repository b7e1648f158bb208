"""Events and audit entries, as services show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class EventView:
    """Something that changed. ``id`` counts up in the order in which events became visible.

    :param kind: ``vm.status vm.desired vm.host operation.state operation.reason host.state`` …
    :param data: ``{"from", "to"}`` for a change of state.
    """

    id: int
    at: datetime
    kind: str
    vm: str | None
    operation: str | None
    host: str | None
    project: str | None
    actor: str
    request_id: str
    reason: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class AuditView:
    """Somebody did something. ``action`` such as ``vm.create``, ``resource`` what it was done to."""

    id: int
    at: datetime
    actor: str
    token: str
    action: str
    resource: str
    project: str | None
    request_id: str
    details: Mapping[str, Any]
