"""Projects over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypedDict, cast

from .page import walk
from .transport import Transport


class Project(TypedDict, total=False):
    """A project on the wire: whose VMs are whose."""

    name: str
    created_at: str


class Projects:
    """``/v1/projects``; for administrators."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str) -> Project:
        return cast(Project, self._transport.json("POST", "/v1/projects", body={"name": name}))

    def list(self) -> Iterator[Project]:
        return cast(Iterator[Project], walk(self._transport, "/v1/projects"))
