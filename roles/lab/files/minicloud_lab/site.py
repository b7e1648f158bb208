# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab as a whole: made, grown and taken away."""

from __future__ import annotations

import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import cgroup, description, disk, network, places
from .description import Host, Lab, Wish
from .places import Places
from .power import Power


def create(wish: Wish) -> tuple[Lab, bool]:
    """Make the lab, or add to it what the wish has more of; nothing is started.

    Returns the lab, and whether anything was changed.

    :raises LabError: it would collide with something, or the wish is not possible.
    """
    with places.locked(places.STATE):
        existing = places.load(wish.name)
        lab = description.grown(existing, wish, lambda: uuid.uuid4().hex)
        network.check(lab, (places.require(name) for name in places.names()))
        own = Places(lab.name)
        changed = disk.make_key(own.key, f"minicloud lab {lab.name}")
        for host in lab.hosts:
            changed |= disk.create(lab, host)
        known = disk.known_hosts(lab)
        if not own.known_hosts.exists() or own.known_hosts.read_text() != known:
            own.known_hosts.write_text(known)
            changed = True
        own.run.mkdir(parents=True, exist_ok=True)
        if lab != existing:
            places.save(lab)
            changed = True
        changed |= network.up(lab)
        return lab, changed


def start(lab: Lab, hosts: list[str]) -> list[str]:
    """Switch hosts on; the names of those that were off."""
    network.up(lab)
    return [name for name in hosts if Power(lab, lab.host(name)).start()]


def destroy(name: str) -> bool:
    """Take the lab away with all that is its own, also when it is half there; True if there was anything."""
    own = Places(description.checked_name(name))
    with places.locked(places.STATE):
        lab = Lab(name, "0.0.0.0/24", tuple(_leftover(host) for host in sorted(_present(own))))
        changed = own.state.exists() or own.run.exists() or bool(lab.hosts) or network.exists(lab.bridge)
        with ThreadPoolExecutor(max_workers=16) as pool:
            list(pool.map(lambda host: Power(lab, host).stop(), lab.hosts))
        network.remove(lab.bridge)
        for directory in (own.run, own.state):
            if directory.exists():
                shutil.rmtree(directory)
            _remove_empty(directory.parent)
    return changed


def _present(own: Places) -> set[str]:
    """Names of the hosts of which anything exists: a disk, a process group, a directory or a cable."""
    directories = [own.state / "hosts", own.run, *(group / own.name for group in cgroup.parents())]
    found = {
        path.name for directory in directories if directory.is_dir() for path in directory.iterdir() if path.is_dir()
    }
    cable = f"vb-{own.name}-"
    found |= {path.name.removeprefix(cable) for path in Path("/sys/class/net").glob(f"{cable}*")}
    return {name for name in found if name.startswith("node")}


def _leftover(name: str) -> Host:
    return Host(name, 0, "", "", "", "")


def _remove_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return  # another lab lives there
