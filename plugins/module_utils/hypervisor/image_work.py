# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Having images in a host's cache, or not, one item at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..model.errors import ConflictError, InputError, MinicloudError
from ..model.image import Image
from ..model.name import check_name
from .definition import Definition
from .failure import NO_STORAGE_VOL, explained, tolerating
from .image import cached_folders, image_folder, is_cached, prepare_image, remove_image
from .inspection import list_domains
from .result import ItemResult


def have_image(cache: Path, mapping: Mapping[str, Any], *, timeout: float, check: bool) -> ItemResult:
    """Have one image in the cache; never raises for what goes wrong with this one.

    :param mapping: as :meth:`.Image.to_mapping` gives it.
    :param timeout: seconds without a byte after which a source counts as dead.
    :param check: only say what would be done.
    """

    def work(result: ItemResult) -> None:
        image = Image.from_mapping(mapping)
        folder = image_folder(cache, image)
        there = is_cached(cache, image)
        result.before = {"state": "present" if there else "absent"}
        result.state = "absent"
        result.changed = not there if check else prepare_image(cache, image, timeout=timeout)
        result.state, result.after = "present", {"state": "present"}
        result.extra["path"] = str(folder)

    return _item(mapping, work)


def drop_image(connection: Any, cache: Path, mapping: Mapping[str, Any], *, check: bool) -> ItemResult:
    """Remove one image from the cache, unless a domain boots from it or a disk lies over it.

    :param mapping: ``name`` alone for every content of that name, or with ``kind`` and ``files`` for one.
    """

    def work(result: ItemResult) -> None:
        folders = _folders(cache, mapping)
        present = [folder for folder in folders if folder.exists()]
        result.before = {"state": "present" if present else "absent"}
        result.state = str(result.before["state"])
        for folder in present:
            _refuse_when_used(connection, folder)
        if not check:
            for folder in present:
                remove_image(cache, folder)
        result.changed = bool(present)
        result.state, result.after = "absent", {"state": "absent"}

    return _item(mapping, work)


def image_users(connection: Any, folder: Path) -> list[str]:
    """Ids of the domains of a host, minicloud's or not, that need a file of a folder."""
    return [
        found.definition.metadata.id
        for found in list_domains(connection)
        if any(Path(path).is_relative_to(folder) for path in _paths(connection, found.definition))
    ]


def _item(mapping: Mapping[str, Any], work: Callable[[ItemResult], None]) -> ItemResult:
    result = ItemResult.of({"id": mapping.get("name"), "operation": mapping.get("operation")})
    started = time.monotonic()
    try:
        work(result)
    except MinicloudError as error:
        result.error = error
    except OSError as error:
        result.error = MinicloudError(f"the image cache cannot be written: {error}")
    result.seconds = time.monotonic() - started
    return result


def _folders(cache: Path, mapping: Mapping[str, Any]) -> list[Path]:
    if mapping.get("files"):
        return [image_folder(cache, Image.from_mapping(mapping))]
    problems = check_name(mapping.get("name"))
    if problems:
        raise InputError(problems)
    return cached_folders(cache, str(mapping["name"]))


def _refuse_when_used(connection: Any, folder: Path) -> None:
    users = image_users(connection, folder)
    if users:
        raise ConflictError(
            f"{folder.name} is needed by {', '.join(users)}",
            hint="remove those VMs first",
            details={"users": users},
        )


def _paths(connection: Any, definition: Definition) -> list[str]:
    boot = [definition.boot.kernel, definition.boot.initrd] if definition.boot else []
    disks = [disk.path for disk in definition.disks if disk.path]
    return [path for path in (*boot, *disks, *(_backing(connection, path) for path in disks)) if path]


def _backing(connection: Any, path: str) -> str:
    """What a volume lies over, as its pool knows it; empty for none and for a disk outside of all pools."""
    with explained(f"read volume {path}"), tolerating(NO_STORAGE_VOL):
        xml = connection.storageVolLookupByPath(path).XMLDesc(0)
        return ElementTree.fromstring(xml).findtext("backingStore/path", default="")
    return ""
