# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Storage pools, by name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

from .binding import libvirt
from .failure import NO_STORAGE_VOL, explained, tolerating

# libvirt refuses to refresh a pool while a volume is being made in it: how often to ask again, and after how long.
_REFRESH_TRIES: Final = 20
_REFRESH_PAUSE: Final = 0.25
_ACTIVE: Final = 2  # VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE, libvirt's ABI


def open_pool(connection: Any, name: str) -> Any:
    """The pool of that name.

    :raises HypervisorError: when there is none.
    """
    with explained(f"open storage pool {name}"):
        return connection.storagePoolLookupByName(name)


def find_volume(pool: Any, name: str) -> Any | None:
    """The volume of that name in a pool, a file that the pool has not seen yet included; None when there is none.

    Shared storage makes the difference: a volume made on another host is unknown here until the pool looks again, and
    making one of the same name would overwrite it.
    """
    volume = _known_volume(pool, name)
    if volume is None and _may_be_unseen(pool, name):
        refresh(pool)
        volume = _known_volume(pool, name)
    return volume


def refresh(pool: Any) -> None:
    """Let a pool look at its storage again."""
    with explained(f"refresh storage pool {pool.name()}"):
        for left in reversed(range(_REFRESH_TRIES)):
            try:
                pool.refresh(0)
            except libvirt.libvirtError:
                if not left:
                    raise
                time.sleep(_REFRESH_PAUSE)
            else:
                return


def target_path(pool: Any) -> str:
    """The directory, or device, that a pool stands for."""
    with explained(f"read storage pool {pool.name()}"):
        return ElementTree.fromstring(pool.XMLDesc(0)).findtext("target/path", default="")


def pool_names(connection: Any) -> list[str]:
    """Names of the active pools."""
    with explained("list storage pools"):
        return sorted(pool.name() for pool in connection.listAllStoragePools(_ACTIVE))


def _known_volume(pool: Any, name: str) -> Any | None:
    with explained(f"look for volume {name}"), tolerating(NO_STORAGE_VOL):
        return pool.storageVolLookupByName(name)
    return None


def _may_be_unseen(pool: Any, name: str) -> bool:
    with explained("read the connection's URI"):
        remote = bool(urlsplit(pool.connect().getURI()).hostname)
    return remote or Path(target_path(pool), name).exists()
