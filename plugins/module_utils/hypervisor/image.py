# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host's image cache: one folder an image, named after what it holds, complete or not there."""

from __future__ import annotations

import os
import re
import shutil
import struct
from pathlib import Path
from typing import Final

from ..model.errors import ImageError, InputError
from ..model.image import Image, ImageFile
from ..model.name import check_name
from .definition import Disk, KernelBoot
from .download import digest_of, download
from .lock import exclusive

# Another run may be fetching the same image over a slow line.
_LOCK_TIMEOUT: Final = 1800
_QCOW2_MAGIC: Final = b"QFI\xfb"


def image_folder(cache: Path, image: Image) -> Path:
    """Where an image lives in the cache. Another content of the same name lives elsewhere.

    :raises InputError: when the name is none; it becomes a path.
    """
    problems = check_name(image.name, field="image.name")
    if problems:
        raise InputError(problems)
    return cache / f"{image.name}-{image.digest}"


def is_cached(cache: Path, image: Image) -> bool:
    """Whether every file is there. What is there was verified when it came."""
    folder = image_folder(cache, image)
    return all(_is_there(folder / file.name, file) for file in image.files)


def prepare_image(cache: Path, image: Image, *, timeout: float = 60) -> bool:
    """Have an image in the cache, fetching what is missing.

    :param timeout: seconds without a byte after which a source counts as dead.
    :returns: whether anything was fetched.
    :raises ImageError: when a file cannot be had or is not what it should be; the cache is as it was before.
    """
    if is_cached(cache, image):
        return False
    folder = image_folder(cache, image)
    with exclusive(cache / f".{folder.name}.lock", timeout=_LOCK_TIMEOUT):
        if is_cached(cache, image):
            return False
        staging = cache / f".{folder.name}.partial"
        # Nobody works on it while we hold the lock: what is left there is a dead run's.
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            for file in image.files:
                _stage(folder / file.name, staging / file.name, file, timeout)
            _publish(staging, folder)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return True


def remove_image(cache: Path, folder: Path) -> None:
    """Remove one image's folder from the cache; nothing happens when it is not there."""
    with exclusive(cache / f".{folder.name}.lock", timeout=_LOCK_TIMEOUT):
        # Renamed first, so that no run ever sees half an image.
        doomed = cache / f".{folder.name}.doomed"
        shutil.rmtree(doomed, ignore_errors=True)
        if folder.exists():
            folder.rename(doomed)
            shutil.rmtree(doomed)


def cached_folders(cache: Path, name: str) -> list[Path]:
    """Folders of all contents of an image of that name."""
    pattern = re.compile(re.escape(name) + r"(-[0-9a-f]{12})+")
    return sorted(path for path in cache.glob(f"{name}-*") if pattern.fullmatch(path.name))


def kernel_boot(cache: Path, image: Image, name: str) -> KernelBoot | None:
    """How a VM of that name boots a ``kernel`` image; None for an image that boots by itself."""
    kernel, initrd = image.file("kernel"), image.file("initrd")
    if kernel is None:
        return None
    folder = image_folder(cache, image)
    return KernelBoot(
        kernel=str(folder / kernel.name),
        initrd="" if initrd is None else str(folder / initrd.name),
        cmdline=with_name(image.cmdline, name),
    )


def with_name(cmdline: str, name: str) -> str:
    """A kernel command line that tells the guest its name."""
    return f"{cmdline} minicloud.name={name}".strip()


def backing_disk(cache: Path, image: Image) -> Disk | None:
    """What the first disk of a ``disk`` image lies over, with its virtual size; None for other images.

    :raises ImageError: when the file is not of the image's format.
    """
    file = image.file("disk")
    if file is None:
        return None
    path = image_folder(cache, image) / file.name
    return Disk("", virtual_size(path, image.format), str(path), format=image.format)


def virtual_size(path: Path, image_format: str) -> int:
    """Bytes that a guest sees of an image file.

    :raises ImageError: when it is said to be qcow2 and is not.
    """
    if image_format == "raw":
        return path.stat().st_size
    with path.open("rb") as source:
        header = source.read(32)
    if len(header) < 32 or not header.startswith(_QCOW2_MAGIC):
        raise ImageError(
            f"{path.name} is not a qcow2 image", hint="register it with format raw", details={"file": path.name}
        )
    (size,) = struct.unpack(">Q", header[24:32])
    return int(size)


def _is_there(path: Path, file: ImageFile) -> bool:
    return path.is_file() and (not file.size or path.stat().st_size == file.size)


def _stage(present: Path, staged: Path, file: ImageFile, timeout: float) -> None:
    """Put one file into the staging folder: the one that is there, if it is good, else a fetched one."""
    if _is_there(present, file) and digest_of(present) == file.sha256:
        staged.hardlink_to(present)
    else:
        download(file, staged, timeout=timeout)
    staged.chmod(0o644)


def _publish(staging: Path, folder: Path) -> None:
    staging.chmod(0o755)
    if not folder.exists():
        staging.rename(folder)
        return
    for path in staging.iterdir():
        path.replace(folder / path.name)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
