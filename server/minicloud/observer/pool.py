"""A host's storage pools, and the images that lie in one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

import libvirt

# Pools for what is no disk of a VM: serial logs, images.
_OWN: Final = "minicloud-"
# The image cache, which onboarding makes a pool of so that it can be looked into from here.
IMAGE_POOL: Final = "minicloud-images"
# An image's folder there: its name, and what tells its content from others of that name.
_FOLDER: Final = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*?)(-[0-9a-f]{12})+")


def read_pools(connection: libvirt.virConnect) -> dict[str, int]:
    """What each active pool for disks holds in all, in bytes, by name."""
    found = {}
    for pool in connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
        # One that goes while it is looked at is left out.
        with suppress(libvirt.libvirtError):
            if not pool.name().startswith(_OWN):
                found[pool.name()] = int(pool.info()[1])
    return dict(sorted(found.items()))


def read_images(connection: libvirt.virConnect) -> tuple[str, ...] | None:
    """Names of the images that lie on the host; None where its cache is no pool, or cannot be read now."""
    try:
        pool = connection.storagePoolLookupByName(IMAGE_POOL)
        # libvirt knows what was there when it last looked, which it does not do while somebody writes there.
        with suppress(libvirt.libvirtError):
            pool.refresh(0)
        return images_among(pool.listVolumes())
    except libvirt.libvirtError:
        return None


def images_among(folders: Iterable[str]) -> tuple[str, ...]:
    """The images of which some content is among the cache's folders; one that is still being fetched is not."""
    matches = (_FOLDER.fullmatch(folder) for folder in folders)
    return tuple(sorted({match["name"] for match in matches if match is not None}))
