"""A VM's serial log, read off its host through libvirt's storage API: nothing of ours runs there to serve it."""

from __future__ import annotations

from pathlib import Path

import libvirt
from minicloud_core.model.errors import UnavailableError

from .address import Unreachable
from .connection import Opener, close

_POOL = "minicloud-console"
# Asked for at once; libvirt streams in pieces of at most 256 KiB.
_PIECE = 256 * 1024


def read_console(uri: str, pki: Path, uuid: str, tail: int) -> bytes:
    """The last ``tail`` bytes that a domain wrote, over a connection of its own.

    :param uri: the host's libvirt URI.
    :param pki: the folder of our client certificate.
    :returns: nothing where the domain has written nothing yet.
    :raises UnavailableError: when the host cannot be asked.
    """
    try:
        connection = Opener(uri, pki).open()
    except Unreachable as error:
        raise UnavailableError(f"The console of {uuid} cannot be read: {error}", hint="try again later") from error
    try:
        connection.setKeepAlive(2, 2)
        volume = _find(connection, f"{uuid}.log")
        return b"" if volume is None else _download(connection, volume, tail)
    except libvirt.libvirtError as error:
        raise UnavailableError(f"The console of {uuid} cannot be read: {error}", hint="try again later") from error
    finally:
        close(connection)


def _find(connection: libvirt.virConnect, name: str) -> libvirt.virStorageVol | None:
    """The log as a volume. The pool is a folder that QEMU writes to, so it may know less than there is."""
    pool = connection.storagePoolLookupByName(_POOL)
    for look_again in (False, True):
        if look_again:
            pool.refresh(0)
        try:
            return pool.storageVolLookupByName(name)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
    return None


def _download(connection: libvirt.virConnect, volume: libvirt.virStorageVol, tail: int) -> bytes:
    size = int(volume.info()[1])
    length = min(size, tail)
    if length <= 0:
        return b""
    stream = connection.newStream(0)
    volume.download(stream, size - length, length, 0)
    pieces: list[bytes] = []
    while piece := stream.recv(_PIECE):
        pieces.append(piece)
    stream.finish()
    return b"".join(pieces)
