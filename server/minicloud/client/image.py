"""Images over HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, cast
from urllib.parse import quote

from .page import walk
from .transport import Transport


class Image(TypedDict, total=False):
    """An image on the wire. Sizes in bytes, ``min_ram_mib`` in MiB."""

    name: str
    kind: str
    architecture: str
    format: str
    cmdline: str
    files: list[dict[str, Any]]
    min_ram_mib: int
    min_disk: int


class Images:
    """``/v1/images``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(self, spec: Mapping[str, Any]) -> Image:
        """Register files on the service's machine; its administrator alone may. Hashing big ones takes a while."""
        return cast(Image, self._transport.json("POST", "/v1/images", body=spec, timeout=600.0))

    def list(self) -> Iterator[Image]:
        return cast(Iterator[Image], walk(self._transport, "/v1/images"))

    def get(self, name: str) -> Image:
        return cast(Image, self._transport.json("GET", _path(name)))

    def remove(self, name: str) -> None:
        """Forget an image; refused while a VM uses it."""
        self._transport.request("DELETE", _path(name))


def _path(name: str) -> str:
    return f"/v1/images/{quote(name, safe='')}"
