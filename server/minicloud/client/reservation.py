"""Reservations over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict, cast
from urllib.parse import quote

from .page import walk
from .transport import Transport


class Reservation(TypedDict, total=False):
    """Room that is held on a host, on the wire. ``ram`` in MiB, ``disk_bytes`` in bytes, times in RFC 3339.

    ``decision`` is in the answers about one alone, ``changed`` in the answers to changes.
    """

    id: str
    name: str | None
    state: str
    host: str
    expires_at: str
    cpu: int
    ram: int
    disk_bytes: int
    image: str
    disks: list[dict[str, Any]]
    nics: list[dict[str, Any]]
    labels: dict[str, str]
    scheduling: dict[str, Any]
    project: str
    vm: str | None
    actor: str
    created_at: str
    ended_at: str | None
    decision: dict[str, Any]
    changed: bool


class Reservations:
    """``/v1/reservations``.

    :param project: whose; None for the token's own, or all that it may see.
    """

    def __init__(self, transport: Transport, project: str | None = None) -> None:
        self._transport = transport
        self._project = project

    def create(
        self, needs: Mapping[str, Any], *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> Reservation:
        """Hold room for a VM.

        :param needs: any of ``name cpu ram image disks nics labels host scheduling``, and ``ttl``, in seconds.
        :param dry_run: only say where it would be, and why.
        """
        return cast(Reservation, self._post(needs, dry_run=dry_run, idempotency_key=idempotency_key))

    def create_all(
        self, needs: Sequence[Mapping[str, Any]], *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> list[Reservation]:
        """Hold room for several VMs, or for none of them."""
        body = {"items": [dict(one) for one in needs]}
        answer = self._post(body, dry_run=dry_run, idempotency_key=idempotency_key)
        return cast(list[Reservation], answer["items"])

    def list(
        self,
        *,
        state: str | None = None,
        name: str | None = None,
        host: str | None = None,
        most: int | None = None,
    ) -> Iterator[Reservation]:
        """Reservations by filter, newest first."""
        params = {"state": state, "name": name, "host": host, "project": self._project}
        return cast(Iterator[Reservation], walk(self._transport, "/v1/reservations", params, most=most))

    def get(self, reservation: str) -> Reservation:
        return cast(Reservation, self._transport.json("GET", _path(reservation)))

    def release(self, reservation: str, *, dry_run: bool = False) -> Reservation:
        """Give the room back before its time is over."""
        params = {"dry_run": "true" if dry_run else None}
        return cast(Reservation, self._transport.json("DELETE", _path(reservation), params=params))

    def _post(self, body: Mapping[str, Any], *, dry_run: bool, idempotency_key: str | None) -> Any:
        params = {"dry_run": "true" if dry_run else None, "project": self._project}
        return self._transport.json(
            "POST", "/v1/reservations", body=body, params=params, idempotency_key=idempotency_key
        )


def _path(reservation: str) -> str:
    return f"/v1/reservations/{quote(reservation, safe='')}"
