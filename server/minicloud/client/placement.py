"""What the scheduler decided, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict, cast

from .page import walk
from .transport import Transport


class PlacementRecord(TypedDict, total=False):
    """A decision with what had been asked for. Where no host would do, ``vm``, ``operation`` and ``host`` are None.

    ``actor`` asked for it on the request ``request_id``. ``ended_at`` is when the VM was deleted; times in RFC 3339.
    ``decision``, each host with its score or with what refused it, is in the answer to one alone.
    """

    id: int
    vm: str | None
    name: str
    project: str
    operation: str | None
    host: str | None
    at: str
    ended_at: str | None
    policy: str
    policy_version: str | None
    request: dict[str, Any]
    preempts: list[dict[str, Any]]
    actor: str
    request_id: str
    decision: dict[str, Any]


class Placements:
    """``/v1/placements``.

    :param project: whose decisions; None for all that the token may see.
    """

    def __init__(self, transport: Transport, project: str | None = None) -> None:
        self._transport = transport
        self._project = project

    def list(
        self,
        *,
        name: str | None = None,
        host: str | None = None,
        refused: bool | None = None,
        most: int | None = None,
    ) -> Iterator[PlacementRecord]:
        """Decisions by filter, newest first.

        :param name: the VM's, or what it would have been called.
        :param refused: only those without a host, or only those with one; None for both.
        """
        said = None if refused is None else str(refused).lower()
        params = {"name": name, "host": host, "refused": said, "project": self._project}
        return cast(Iterator[PlacementRecord], walk(self._transport, "/v1/placements", params, most=most))

    def get(self, number: int) -> PlacementRecord:
        """One decision, by its ``id``, with all that it says."""
        return cast(PlacementRecord, self._transport.json("GET", f"/v1/placements/{number}"))
