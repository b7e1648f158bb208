# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a host is booted: the command line of systemd-nspawn and what goes before it."""

from __future__ import annotations

import os
from pathlib import Path

from .description import Host, Lab
from .places import Places

# Where base's apt sources look for packages.
PACKAGES_INSIDE = "/opt/lab-packages"


def boot_command(lab: Lab, host: Host, groups: list[Path], devices: list[str]) -> list[str]:
    """The command that becomes the host: `boot_host.sh` with its surroundings in the environment (`boot_environment`).

    :param groups: cgroup.procs files to join first.
    :param devices: device nodes of the machine that the host may use.
    """
    places = Places(lab.name)
    return [
        str(Path(__file__).parent.parent / "boot_host.sh"),
        *(str(group) for group in groups),
        "--",
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--boot",
        f"--directory={places.running(host) / 'root'}",
        f"--machine={lab.machine(host)}",
        f"--hostname={host.name}",
        f"--uuid={host.machine_id}",
        f"--network-bridge={lab.bridge}",
        "--capability=all",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=read-only",
        *(f"--bind={device}" for device in devices),
        f"--bind-ro={host.packages}:{PACKAGES_INSIDE}",
    ]


def boot_environment(lab: Lab, host: Host) -> dict[str, str]:
    """What boot_host.sh needs to know about the disk."""
    places = Places(lab.name)
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LAB_BASE": f"{host.base}/root",
        "LAB_DISK": str(places.disk(host)),
        "LAB_ROOT": str(places.running(host) / "root"),
    }


def devices() -> list[str]:
    """The machine's devices that hypervisors need.

    A node named /dev/kvm proves nothing (some virtual machines have one that runs no guest): the processor must also
    say that it can virtualise.
    """
    flags = next(
        (line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")), ""
    ).split()
    kvm = os.access("/dev/kvm", os.R_OK | os.W_OK) and bool({"vmx", "svm"} & set(flags))
    return ["/dev/net/tun", *(["/dev/kvm"] if kvm else [])]
