# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""An image: what a VM boots from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .errors import InputError, Problem

KINDS: Final = ("kernel", "disk")
ROLES: Final[dict[str, tuple[str, ...]]] = {"kernel": ("kernel", "initrd"), "disk": ("disk",)}
FORMATS: Final = ("qcow2", "raw")

_FILE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class ImageFile:
    """One file of an image. ``size`` in bytes; ``url`` is where a host fetches it, empty when it must be there."""

    role: str
    name: str
    sha256: str
    size: int
    url: str = ""

    def to_mapping(self) -> dict[str, Any]:
        return {"role": self.role, "name": self.name, "sha256": self.sha256, "size": self.size, "url": self.url}


@dataclass(frozen=True)
class Image:
    """An image as an order carries it. ``format`` is that of a ``disk`` image's file."""

    name: str
    kind: str
    files: tuple[ImageFile, ...]
    architecture: str = "x86_64"
    cmdline: str = ""
    format: str = "qcow2"
    min_ram_mib: int = 0
    min_disk: int = 0

    def file(self, role: str) -> ImageFile | None:
        return next((file for file in self.files if file.role == role), None)

    @property
    def digest(self) -> str:
        """What distinguishes this content from another of the same name: names its folder in a host's cache."""
        return "-".join(file.sha256[:12] for file in self.files)

    def to_mapping(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "files": [file.to_mapping() for file in self.files],
            "architecture": self.architecture,
            "cmdline": self.cmdline,
            "format": self.format,
            "min_ram_mib": self.min_ram_mib,
            "min_disk": self.min_disk,
        }

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, field: str = "image") -> Image:
        """Read an image.

        :raises InputError: naming what is missing or malformed.
        """
        kind = mapping.get("kind")
        if kind not in KINDS:
            raise InputError([Problem(f"{field}.kind", f"{kind!r} is not a kind of image", "kernel or disk")])
        files = tuple(
            _read_file(item, f"{field}.files.{index}") for index, item in enumerate(mapping.get("files") or ())
        )
        roles = tuple(file.role for file in files)
        if ROLES[kind][0] not in roles or any(role not in ROLES[kind] for role in roles):
            raise InputError(
                [
                    Problem(
                        f"{field}.files", f"roles {list(roles)} do not make a {kind} image", " and ".join(ROLES[kind])
                    )
                ]
            )
        image_format = mapping.get("format") or "qcow2"
        if image_format not in FORMATS:
            raise InputError([Problem(f"{field}.format", f"{image_format!r} is not a format", "qcow2 or raw")])
        return cls(
            name=str(mapping.get("name") or ""),
            kind=kind,
            files=files,
            architecture=str(mapping.get("architecture") or "x86_64"),
            cmdline=str(mapping.get("cmdline") or ""),
            format=image_format,
            min_ram_mib=int(mapping.get("min_ram_mib") or 0),
            min_disk=int(mapping.get("min_disk") or 0),
        )


def _read_file(item: Mapping[str, Any], field: str) -> ImageFile:
    name, sha256 = str(item.get("name", "")), str(item.get("sha256", ""))
    if not _FILE.fullmatch(name):
        raise InputError([Problem(f"{field}.name", f"{name!r} is not a file name", "letters, digits, . _ -")])
    if not _SHA256.fullmatch(sha256):
        raise InputError([Problem(f"{field}.sha256", "not a SHA-256", "64 lower-case hexadecimal digits")])
    return ImageFile(str(item.get("role", "")), name, sha256, int(item.get("size") or 0), str(item.get("url") or ""))
