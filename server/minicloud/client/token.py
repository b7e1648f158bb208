"""Tokens over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict, cast
from urllib.parse import quote

from .page import walk
from .transport import Transport


class Token(TypedDict, total=False):
    """A token on the wire. ``token``, the secret itself, is in the answer to its creation and nowhere else."""

    id: str
    name: str
    role: str
    project: str | None
    token: str
    created_at: str
    expires_at: str | None
    revoked_at: str | None


class Tokens:
    """``/v1/tokens``; for administrators."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, role: str, project: str | None = None, expires_at: str | None = None) -> Token:
        """Make a token.

        :param role: ``admin``, ``member`` (changes the VMs of one project) or ``viewer`` (reads them).
        :param expires_at: RFC 3339; None for a token without an end.
        """
        body = {"name": name, "role": role, "project": project, "expires_at": expires_at}
        body = {key: value for key, value in body.items() if value is not None}
        return cast(Token, self._transport.json("POST", "/v1/tokens", body=body))

    def list(self) -> Iterator[Token]:
        return cast(Iterator[Token], walk(self._transport, "/v1/tokens"))

    def revoke(self, ref: str) -> None:
        self._transport.request("DELETE", f"/v1/tokens/{quote(ref, safe='')}")
