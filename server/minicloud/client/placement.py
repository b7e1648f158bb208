"""What the scheduler decided, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict, cast

from .page import walk
from .transport import Transport


class PlacementRecord(TypedDict):
    """A decision with what had been asked for. ``ended_at`` is when the VM was deleted; times in RFC 3339."""

    vm: str
    name: str
    project: str
    operation: str
    host: str | None
    at: str
    ended_at: str | None
    policy: str
    policy_version: str | None
    request: dict[str, Any]


class Placements:
    """``/v1/placements``.

    :param project: whose decisions; None for all that the token may see.
    """

    def __init__(self, transport: Transport, project: str | None = None) -> None:
        self._transport = transport
        self._project = project

    def list(self) -> Iterator[PlacementRecord]:
        """Every decision, newest first."""
        return cast(Iterator[PlacementRecord], walk(self._transport, "/v1/placements", {"project": self._project}))
