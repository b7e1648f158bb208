# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's disk: a writable layer over the shared base, with the host's identity in it."""

from __future__ import annotations

import shutil
from pathlib import Path

from .command import run
from .description import Host, Lab, peers
from .places import Places


def identity(lab: Lab, host: Host) -> dict[str, str]:
    """The text files that tell one host from another, by path."""
    return {
        "etc/machine-id": f"{host.machine_id}\n",
        "etc/hostname": f"{host.name}\n",
        "etc/hosts": "".join(
            f"{address}\t{name}\n" for address, name in [("127.0.0.1", "localhost"), ("::1", "localhost"), *peers(lab)]
        ),
        "etc/systemd/network/10-host0.network": (
            f"[Match]\nName=host0\n\n[Network]\nAddress={host.address}/24\nGateway={lab.gateway}\n"
            "LinkLocalAddressing=ipv6\n"
        ),
    }


def create(lab: Lab, host: Host) -> bool:
    """Make the host's disk; True if it was not there. It appears whole or not at all."""
    places = Places(lab.name)
    disk = places.disk(host)
    if disk.exists():
        return False
    draft = disk.with_name(f".{host.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    upper = draft / "upper"
    (draft / "work").mkdir(parents=True)
    for path, text in identity(lab, host).items():
        _write(upper / path, text, 0o644)
    _write(upper / "root/.ssh/authorized_keys", places.key.with_suffix(".pub").read_text(), 0o600)
    (upper / "root").chmod(0o700)
    (upper / "root/.ssh").chmod(0o700)
    make_key(upper / "etc/ssh/ssh_host_ed25519_key", f"root@{host.name}")
    draft.rename(disk)
    return True


def make_key(path: Path, comment: str) -> bool:
    """Make an SSH key pair; True if there was none."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    return True


def known_hosts(lab: Lab) -> str:
    """The hosts' public keys as a known_hosts file."""
    lines = []
    for host in lab.hosts:
        public = (Places(lab.name).disk(host) / "upper/etc/ssh/ssh_host_ed25519_key.pub").read_text().split()
        lines.append(f"{host.address},{host.name} {public[0]} {public[1]}\n")
    return "".join(lines)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
