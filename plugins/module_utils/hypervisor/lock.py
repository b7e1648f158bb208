# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Locks between the processes and threads of one host."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ..model.errors import HypervisorTimeoutError

_PAUSE: Final = 0.05


@contextmanager
def exclusive(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold a lock file, which is gone afterwards. The kernel lets go of it when its holder dies.

    :param path: of the lock file; its directory is made when missing.
    :param timeout: seconds to wait for whoever holds it.
    :raises HypervisorTimeoutError: when it stays taken.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    while (descriptor := _take(path)) is None:
        if time.monotonic() > deadline:
            raise HypervisorTimeoutError(
                f"{path} stayed locked for {timeout:g} s",
                hint="another run works on the same thing; wait until it has ended (fuser names it)",
            )
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _take(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    if _is_current(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _is_current(path: Path, descriptor: int) -> bool:
    """Whether the file is still the one at its path: a lock on one that its last holder unlinked keeps nobody out."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
