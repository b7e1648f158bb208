# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Carrying a VM's files from one host to another by libvirt's own streams."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePath
from typing import Any, Final

from ..model.errors import ConflictError
from .binding import libvirt
from .failure import NO_STORAGE_POOL, explained, tolerating
from .pool import find_volume, refresh
from .volume import render_volume, upload

_CHUNK: Final = 256 * 1024


class VolumeCopier:
    """Copies volumes to a destination, and takes them back when what they were copied for fails.

    :param source: connection to the host that has the volumes.
    :param destination: connection to the host that is to have them, under the same paths.
    """

    def __init__(self, source: Any, destination: Any) -> None:
        self._source = source
        self._destination = destination
        self._made: list[Any] = []

    def expect_none(self, paths: list[str]) -> None:
        """Make sure that the destination has none of these volumes.

        :raises ConflictError: when it has one: the storage is shared after all, or a dead run left it.
        :raises HypervisorError: when the destination has no pool for one.
        """
        for path in paths:
            if find_volume(self._pool(path), PurePath(path).name) is not None:
                raise ConflictError(
                    f"the destination has {path} already",
                    hint="leave copy_storage out when both hosts share the pool; otherwise remove that leftover",
                    details={"path": path},
                )

    def copy(self, path: str) -> None:
        """Copy one volume, byte for byte."""
        pool = self._pool(path)
        with explained(f"read volume {path}"):
            volume = self._source.storageVolLookupByPath(path)
            size = volume.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]
        with explained(f"create volume {path} on the destination"):
            copy = pool.createXML(render_volume(PurePath(path).name, size, "raw"), 0)
        self._made.append(copy)
        _stream(self._source, volume, self._destination, copy, size)
        # A copied qcow2 file is seen as what it is only when the pool looks again.
        refresh(pool)

    def write_text(self, path: str, content: bytes) -> bool:
        """Write a file of the destination anew. Returns False, with nothing done, where no pool holds its directory."""
        with tolerating(NO_STORAGE_POOL):
            pool = self._destination.storagePoolLookupByTargetPath(str(PurePath(path).parent))
            name = PurePath(path).name
            old = find_volume(pool, name)
            if old is not None:
                with explained(f"remove the old {path} on the destination"):
                    old.delete(0)
            with explained(f"create {path} on the destination"):
                made = pool.createXML(render_volume(name, len(content), "raw"), 0)
            self._made.append(made)
            upload(self._destination, made, content)
            return True
        return False

    def take_back(self, paths: list[str]) -> None:
        """Remove from the destination what was copied, and these volumes, which were not there before."""
        for volume in self._made:
            with suppress(libvirt.libvirtError):
                volume.delete(0)
        for path in paths:
            with suppress(libvirt.libvirtError):
                volume = find_volume(self._pool(path), PurePath(path).name)
                if volume is not None:
                    volume.delete(0)
        self._made = []

    def _pool(self, path: str) -> Any:
        folder = str(PurePath(path).parent)
        with explained(f"find the pool of {folder} on the destination"):
            return self._destination.storagePoolLookupByTargetPath(folder)


def _stream(source: Any, volume: Any, destination: Any, copy: Any, size: int) -> None:
    with explained(f"copy volume {volume.name()}"):
        reader, writer = source.newStream(0), destination.newStream(0)
        try:
            volume.download(reader, 0, size, 0)
            copy.upload(writer, 0, size, 0)
            while chunk := reader.recv(_CHUNK):
                _send(writer, chunk)
            reader.finish()
            writer.finish()
        except BaseException:
            for stream in (reader, writer):
                with suppress(libvirt.libvirtError):
                    stream.abort()
            raise


def _send(stream: Any, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[stream.send(chunk) :]
