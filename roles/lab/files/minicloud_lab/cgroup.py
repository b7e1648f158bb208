# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's processes as one control group: found, counted, frozen and killed together.

The group is the host's identity. No process id is remembered, so none that was reused can be killed by mistake; and a
kill or a freeze takes every process at once, however fast they fork.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from .errors import LabError

_PARENT = "minicloud-lab"


def mounts(mountinfo: str) -> tuple[Path | None, list[Path]]:
    """The mount of cgroup2 and those of version 1, from /proc/self/mountinfo.

    cpuset is left out: its new groups have no processors.
    """
    unified, legacy = None, []
    for line in mountinfo.splitlines():
        before, _dash, after = line.partition(" - ")
        path, kind, options = Path(before.split()[4]), after.split()[0], after.split()[2].split(",")
        if kind == "cgroup2":
            unified = unified or path
        elif kind == "cgroup" and "cpuset" not in options:
            legacy.append(path)
    return unified, legacy


def parents() -> list[Path]:
    """The directories that hold the control groups of all labs, one in each hierarchy.

    The first one is of cgroup2, which is what freezes and kills.

    :raises LabError: the machine has no cgroup2 mount.
    """
    unified, legacy = mounts(Path("/proc/self/mountinfo").read_text())
    if unified is None:
        raise LabError("this machine has no cgroup2 mount; `mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified` makes one")
    return [mount / _PARENT for mount in (unified, *legacy)]


class ControlGroup:
    """The processes of one host of one lab."""

    def __init__(self, lab: str, host: str) -> None:
        # In version 1 each controller has a tree of its own; all are joined, and the host belongs to nobody's session.
        self._all = [parent / lab / host for parent in parents()]
        self._unified = self._all[0]

    def create(self) -> list[Path]:
        """Make the group where it is missing; return the files that take a process id."""
        for group in self._all:
            group.mkdir(parents=True, exist_ok=True)
        return [group / "cgroup.procs" for group in self._all]

    def alive(self) -> bool:
        """Whether any process of the host exists."""
        return self._event("populated")

    def frozen(self) -> bool:
        """Whether the host is held still."""
        return self._event("frozen")

    def freeze(self, still: bool) -> None:
        """Hold every process of the host still, or let them go on."""
        (self._unified / "cgroup.freeze").write_text("1" if still else "0")
        if not self.wait(lambda: self.frozen() == still, 5.0):
            raise LabError(f"control group {self._unified} did not {'freeze' if still else 'thaw'} within 5 s")

    def kill(self) -> None:
        """Kill every process of the host, now, and wait until they are gone.

        :raises LabError: they are still there after ten seconds.
        """
        if not self.alive():
            return
        (self._unified / "cgroup.kill").write_text("1")
        if not self.wait(lambda: not self.alive(), 10.0):
            raise LabError(f"processes in {self._unified} outlived SIGKILL by 10 s")

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a signal to the host's processes of that command name; True if there was one."""
        sent = False
        for process in self._processes():
            try:
                if Path("/proc", str(process), "comm").read_text().strip() == name:
                    os.kill(process, number)
                    sent = True
            except (FileNotFoundError, ProcessLookupError):
                continue
        return sent

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``condition`` holds; False after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def remove(self) -> None:
        """Remove the empty group, and its parents when no other host is in them."""
        for group in self._all:
            for below, _groups, _files in os.walk(group, topdown=False):
                Path(below).rmdir()
            for parent in (group.parent, group.parent.parent):
                try:
                    parent.rmdir()
                except OSError:
                    break

    def _processes(self) -> list[int]:
        found: list[int] = []
        for procs in self._unified.rglob("cgroup.procs"):
            try:
                found += [int(line) for line in procs.read_text().split()]
            except OSError:
                continue  # a group that went away meanwhile, or one of threads
        return found

    def _event(self, name: str) -> bool:
        try:
            events = (self._unified / "cgroup.events").read_text().split()
        except FileNotFoundError:
            return False
        return events[events.index(name) + 1] == "1"
