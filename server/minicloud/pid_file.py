"""One service on a state directory: a pid file that its process keeps locked."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .refusal import RefusalError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the file, with this process's id in it, and remove it at the end.

    The lock goes with the process however that ends, so a file left by a crash stops nobody.

    :raises RefusalError: another process holds it.
    """
    descriptor = _acquire(path)
    try:
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise RefusalError(
                f"another service runs on {path.parent} (pid {pid})",
                hint="stop it first, or name another directory with --state-dir",
                exit_code=5,
            ) from None
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # its holder removed it between our opening and locking it


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
