"""Images, as services show and take them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True)
class ImageFileSource:
    """A file on the service's machine to take into an image. ``sha256`` is verified where it is given."""

    role: str
    path: Path
    name: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class ImageSpec:
    """What to register. ``kind`` is ``kernel`` (roles kernel, initrd) or ``disk`` (role disk)."""

    name: str
    kind: str
    files: tuple[ImageFileSource, ...]
    architecture: str = "x86_64"
    cmdline: str = ""
    format: str = "qcow2"
    min_ram_mib: int = 0
    min_disk: int = 0


@dataclass(frozen=True)
class ImageFileView:
    role: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class ImageView:
    """An image. ``min_disk`` in bytes: a ``disk`` image's virtual size or more."""

    name: str
    kind: str
    architecture: str
    cmdline: str
    format: str
    min_ram_mib: int
    min_disk: int
    files: tuple[ImageFileView, ...]
    created_at: datetime


@dataclass(frozen=True)
class ImageRegistration:
    """``created`` is False when the same image was there already."""

    image: ImageView
    created: bool
    replayed: bool = False
