"""Images' files on the service's machine: one file a content, named by its SHA-256."""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from minicloud_core.model.errors import ImageError, InputError, Problem

CHUNK: Final = 1024 * 1024
_QCOW2: Final = b"QFI\xfb"


class ImageStore:
    """A folder of files. Whoever adds or removes holds its lock, so that nothing goes that was just taken up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for oneself, among all processes of this machine."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def path(self, sha256: str) -> Path:
        """Where the content of that digest lies."""
        return self._folder / sha256

    def take(self, source: Path, *, sha256: str, field: str) -> tuple[str, int]:
        """Copy a file in, whole or not at all.

        :param sha256: what it should be; empty for whatever it is.
        :param field: the source's field, for errors.
        :returns: its SHA-256 and its size in bytes.
        :raises InputError: when it cannot be read, or is not what it should be.
        """
        try:
            with source.open("rb") as stream:
                digest, size = self._copy(stream, sha256, field)
        except OSError as error:
            words = error.strerror or str(error)
            raise InputError(
                [Problem(f"{field}.path", f"{source}: {words}", "a file that the service can read")]
            ) from error
        return digest, size

    def prune(self, kept: Collection[str]) -> None:
        """Remove every content that is not among ``kept``, and leftovers of copies that were cut off."""
        for path in self._folder.iterdir():
            if path.name not in kept and path.name != ".lock":
                path.unlink()

    def _copy(self, stream: BinaryIO, expected: str, field: str) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        descriptor, name = tempfile.mkstemp(prefix=".partial-", dir=self._folder)
        partial = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as target:
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            found = digest.hexdigest()
            if expected and found != expected:
                raise InputError(
                    [Problem(f"{field}.sha256", f"the file's SHA-256 is {found}", "the file's own digest")]
                )
            partial.replace(self.path(found))
        finally:
            partial.unlink(missing_ok=True)
        return found, size


def virtual_size(path: Path, image_format: str) -> int:
    """The bytes of disk that a guest sees of a file.

    :param image_format: ``qcow2`` or ``raw``.
    :raises ImageError: when the file is not of that format.
    """
    with path.open("rb") as stream:
        header = stream.read(32)
    is_qcow2 = header[:4] == _QCOW2
    if image_format == "raw":
        if is_qcow2:
            raise ImageError("The file is a qcow2 image, not a raw one", hint="register it with format: qcow2")
        return path.stat().st_size
    if not is_qcow2 or len(header) < 32:
        raise ImageError("The file is not a qcow2 image", hint="register it with format: raw, or convert it")
    backing, _length, _bits, size = struct.unpack(">QIIQ", header[8:32])
    if backing:
        raise ImageError("The qcow2 image needs a backing file", hint="flatten it: qemu-img convert -O qcow2")
    return int(size)
