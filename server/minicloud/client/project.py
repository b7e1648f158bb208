"""Projects over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypedDict, cast

from .page import walk
from .transport import Transport


class Project(TypedDict, total=False):
    """A project on the wire: whose VMs are whose. ``quota`` and ``usage`` have ``vms cpu ram_mib disk_bytes``, the
    quota ``priority_max`` as well."""

    name: str
    quota: dict[str, int | None]
    usage: dict[str, int]
    created_at: str


class Projects:
    """``/v1/projects``; for administrators."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, *, quota: Mapping[str, int] | None = None) -> Project:
        """:param quota: the most that it may have, ``vms cpu ram_mib disk_bytes``, and the highest priority that VMs
        may ask for there, ``priority_max``; what is left out has no limit."""
        body = {"name": name, "quota": dict(quota)} if quota else {"name": name}
        return cast(Project, self._transport.json("POST", "/v1/projects", body=body))

    def list(self) -> Iterator[Project]:
        return cast(Iterator[Project], walk(self._transport, "/v1/projects"))
