# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a lab keeps its things on the machine."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import description
from .description import Host, Lab
from .errors import LabError

STATE = Path("/var/lib/minicloud-lab")
RUN = Path("/run/minicloud-lab")


@dataclass(frozen=True)
class Places:
    """Paths of one lab: ``state`` outlives a reboot of the machine (disks, keys), ``run`` does not."""

    name: str

    @property
    def state(self) -> Path:
        """Disks, keys and the description."""
        return STATE / self.name

    @property
    def run(self) -> Path:
        """Consoles, locks and the inventory."""
        return RUN / self.name

    @property
    def description(self) -> Path:
        """The lab's description, JSON."""
        return self.state / "lab.json"

    @property
    def key(self) -> Path:
        """The private SSH key that every host accepts for root."""
        return self.state / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The hosts' public keys, for SSH."""
        return self.state / "ssh" / "known_hosts"

    def disk(self, host: Host) -> Path:
        """Directory with the host's writable layer: ``upper`` and ``work``."""
        return self.state / "hosts" / host.name

    def running(self, host: Host) -> Path:
        """Directory for what exists while the host runs."""
        return self.run / host.name

    def console(self, host: Host) -> Path:
        """What the host wrote to its console since its last power-on."""
        return self.running(host) / "console.log"


def load(name: str) -> Lab | None:
    """Read a lab's description; None where there is no such lab."""
    path = Places(description.checked_name(name)).description
    try:
        return description.from_mapping(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as bad:
        raise LabError(
            f"{path} is not a lab's description ({bad}); playbooks/lab_down.yml -e lab_name={name} clears it away"
        ) from bad


def require(name: str) -> Lab:
    """Read a lab's description.

    :raises LabError: there is no such lab.
    """
    lab = load(name)
    if lab is None:
        raise LabError(f"no lab is named {name!r}; there are: {', '.join(names()) or 'none'}")
    return lab


def names() -> list[str]:
    """Every lab on this machine."""
    return sorted(path.parent.name for path in STATE.glob("*/lab.json"))


def save(lab: Lab) -> None:
    """Write the description; readers see the old one or the new one, never half of one."""
    path = Places(lab.name).description
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(description.to_mapping(lab), indent=2) + "\n")
    draft.rename(path)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold an exclusive lock on a directory, making it first: a lock that leaves no file behind."""
    while True:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _same(descriptor, directory):
                yield
                return
        finally:
            os.close(descriptor)


def _same(descriptor: int, directory: Path) -> bool:
    """Whether the directory was not removed, or replaced, while someone waited for its lock."""
    try:
        return os.path.samestat(os.fstat(descriptor), directory.stat())
    except FileNotFoundError:
        return False
