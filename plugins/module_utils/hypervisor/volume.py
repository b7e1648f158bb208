# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A VM's volumes: made through libvirt's storage API, named after the VM's UUID, and gone when it goes.

The name is the proof of ownership: a file of any other name is nobody's here, and never deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import PurePath
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from ..model.errors import ConflictError, HypervisorError
from .binding import libvirt
from .definition import Disk
from .failure import NO_STORAGE_POOL, NO_STORAGE_VOL, explained, tolerating
from .pool import find_volume, open_pool, refresh

_BLOCK: Final = 1  # virStorageVolType, libvirt's ABI
_UPLOAD_CHUNK: Final = 256 * 1024


def disk_volume_name(uuid: str, disk: str) -> str:
    return f"{uuid}-{disk}.qcow2"


def seed_volume_name(uuid: str) -> str:
    return f"{uuid}-seed.iso"


def is_owned(uuid: str, path: str) -> bool:
    """Whether the last part of a path, or a volume's name, says that it belongs to the VM."""
    return PurePath(path).name.startswith(f"{uuid}-")


def render_volume(name: str, capacity: int, volume_format: str, backing: Disk | None = None) -> str:
    """XML of a volume. ``capacity`` in bytes; ``backing`` is what an overlay lies over."""
    volume = Element("volume")
    SubElement(volume, "name").text = name
    SubElement(volume, "capacity", {"unit": "bytes"}).text = str(capacity)
    target = SubElement(volume, "target")
    SubElement(target, "format", {"type": volume_format})
    if backing is not None:
        store = SubElement(volume, "backingStore")
        SubElement(store, "path").text = backing.path
        SubElement(store, "format", {"type": backing.format})
    return tostring(volume, encoding="unicode")


class VolumeMaker:
    """Makes the volumes of one VM, and remembers which it made, so that a failure can take them back."""

    def __init__(self, connection: Any, uuid: str) -> None:
        self._connection = connection
        self._uuid = uuid
        self._made: list[Any] = []

    def disk(self, name: str, size: int, pool_name: str, backing: Disk | None) -> Disk:
        """A qcow2 volume for a disk: the one that is there, or a new one.

        One that is there belongs to this VM and may hold its data: a domain can be lost without its disks.

        :param size: bytes; with a backing at least its size.
        :param backing: path, format and size of the image under it; None for a blank disk.
        """
        pool = open_pool(self._connection, pool_name)
        volume_name = disk_volume_name(self._uuid, name)
        volume = find_volume(pool, volume_name)
        if volume is None:
            volume = self._create(pool, render_volume(volume_name, size, "qcow2", backing))
        with explained(f"read volume {volume_name}"):
            kind, capacity, _allocation = volume.info()
            return Disk(name, capacity, volume.path(), kind == _BLOCK)

    def seed(self, content: bytes, pool_name: str) -> str:
        """A raw volume with this content, in place of any older one; returns its path."""
        pool = open_pool(self._connection, pool_name)
        name = seed_volume_name(self._uuid)
        old = find_volume(pool, name)
        if old is not None:
            with explained(f"delete volume {name}"):
                old.delete(0)
        volume = self._create(pool, render_volume(name, len(content), "raw"))
        upload(self._connection, volume, content)
        with explained(f"read volume {name}"):
            return str(volume.path())

    def take_back(self) -> list[str]:
        """Delete what was made here. Returns the paths that could not be deleted."""
        left = []
        for volume in reversed(self._made):
            try:
                volume.delete(0)
            except libvirt.libvirtError:
                left.append(str(volume.path()))
        self._made = []
        return left

    def _create(self, pool: Any, xml: str) -> Any:
        with explained(f"create a volume in pool {pool.name()}"):
            volume = pool.createXML(xml, 0)
        self._made.append(volume)
        return volume


def upload(connection: Any, volume: Any, content: bytes) -> None:
    """Write content to a volume from its start."""
    with explained(f"write volume {volume.name()}"):
        stream = connection.newStream(0)
        try:
            volume.upload(stream, 0, len(content), 0)
            rest = memoryview(content)
            while rest:
                sent = stream.send(bytes(rest[:_UPLOAD_CHUNK]))
                rest = rest[sent:]
            stream.finish()
        except BaseException:
            with suppress(libvirt.libvirtError):
                stream.abort()
            raise


def grow(connection: Any, domain: Any, disk: Disk, size: int) -> None:
    """Grow a disk, under a running guest too.

    :param disk: as it is.
    :param size: bytes it is to have.
    :raises ConflictError: when that is less than it has: what lies beyond the end would be lost.
    """
    if size < disk.size:
        raise ConflictError(
            f"disk {disk.name} cannot shrink from {disk.size} to {size} bytes",
            hint=f"ask for at least {disk.size} bytes, or delete the VM and make it again",
        )
    with explained(f"grow disk {disk.name}"):
        if domain.isActive():
            domain.blockResize(disk.name, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
        else:
            connection.storageVolLookupByPath(disk.path).resize(size, 0)


def owned_volumes(connection: Any, uuid: str, paths: Iterable[str], pools: Iterable[str]) -> list[Any]:
    """Every volume of a VM: those its domain names and those left in the pools by a run that died.

    :param paths: of the domain's disks; foreign ones are passed over.
    :param pools: names of pools to look through; missing and inactive ones are passed over.
    """
    found: dict[str, Any] = {}
    for path in paths:
        volume = _volume_at(connection, path) if is_owned(uuid, path) else None
        if volume is not None:
            found[path] = volume
    for name in pools:
        with suppress(HypervisorError), explained(f"list pool {name}"):
            for volume in connection.storagePoolLookupByName(name).listAllVolumes(0):
                if is_owned(uuid, volume.name()):
                    found[volume.path()] = volume
    return list(found.values())


def delete_volumes(volumes: Iterable[Any]) -> None:
    """Delete volumes; those that are gone by now are fine."""
    for volume in volumes:
        with explained(f"delete volume {volume.name()}"), tolerating(NO_STORAGE_VOL):
            volume.delete(0)


def _volume_at(connection: Any, path: str) -> Any | None:
    with explained(f"look for volume {path}"), tolerating(NO_STORAGE_VOL):
        return connection.storageVolLookupByPath(path)
    # The file may have come by a way that the pool does not know of.
    with explained(f"look for the pool of {path}"), tolerating(NO_STORAGE_VOL, NO_STORAGE_POOL):
        refresh(connection.storagePoolLookupByTargetPath(str(PurePath(path).parent)))
        return connection.storageVolLookupByPath(path)
    return None
