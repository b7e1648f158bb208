# Copyright (c) 2026, the minicloud authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's power button, plug and cable."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from . import network, nspawn
from .cgroup import ControlGroup
from .description import Host, Lab
from .errors import LabError
from .places import Places, locked

# A host that was told to shut down and holds a running guest takes 3 s; after these it loses its power.
ORDERLY = 8.0
# From the start of nspawn to its cable being on the bridge: 0.1 s on an idle machine.
_PLUGGED = 15.0


class State(Enum):
    """What a host's power is."""

    OFF = "off"
    ON = "on"
    HUNG = "hung"


class Power:
    """Power of one host; every change holds the host's lock, so that two who press at once press in turn."""

    def __init__(self, lab: Lab, host: Host) -> None:
        self._lab = lab
        self._host = host
        self._places = Places(lab.name)
        self._group = ControlGroup(lab.name, host.name)

    def state(self) -> State:
        """The host's power as it is now."""
        if not self._group.alive():
            return State.OFF
        return State.HUNG if self._group.frozen() else State.ON

    def start(self) -> bool:
        """Switch on; True if the host was off. The disk is as it was when the power went.

        Returns when the host's cable is plugged in, about ten seconds before SSH answers on a busy machine.
        """
        with self._alone():
            if self._group.alive():
                return False
            self._clear()
            self._boot()
            return True

    def off(self) -> bool:
        """Pull the plug: every process dies at once; True if the host was on."""
        with self._alone():
            alive = self._group.alive()
            self._group.kill()
            self._clear()
            return alive

    def stop(self, grace: float = ORDERLY) -> bool:
        """Shut down in order, and pull the plug when that takes over ``grace`` seconds; True if the host was on."""
        with self._alone():
            alive = self._group.alive()
            if alive:
                self._group.freeze(False)
                # nspawn passes SIGTERM on as the halt signal of the systemd inside.
                if self._group.signal("systemd-nspawn", signal.SIGTERM):
                    self._group.wait(lambda: not self._group.alive(), grace)
            self._group.kill()
            self._clear()
            return alive

    def hang(self, hung: bool) -> bool:
        """Stop the host's time, or let it go on; True if that changed something."""
        with self._alone():
            state = self.state()
            if state is State.OFF:
                raise LabError(
                    f"{self._host.name} of lab {self._lab.name} is off and can neither hang nor resume; start it first"
                )
            if (state is State.HUNG) == hung:
                return False
            self._group.freeze(hung)
            return True

    def partition(self, cut: bool) -> bool:
        """Cut the host's cable, or mend it; True if that changed something."""
        with self._alone():
            return network.plug(self._lab, self._host, connected=not cut)

    def _boot(self) -> None:
        console = self._places.console(self._host)
        shutil.rmtree(self._places.disk(self._host) / "work" / "work" / "incompat", ignore_errors=True)
        (self._places.running(self._host) / "root").mkdir(exist_ok=True)
        command = nspawn.boot_command(self._lab, self._host, self._group.create(), nspawn.devices())
        with console.open("wb") as output:
            process = subprocess.Popen(
                command,
                env=nspawn.boot_environment(self._lab, self._host),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _PLUGGED
        while not network.plugged(self._lab, self._host):
            if process.poll() is not None or time.monotonic() > deadline:
                self._group.kill()
                self._clear()
                said = console.read_text(errors="replace")[-1500:].strip()
                raise LabError(
                    f"{self._host.name} of lab {self._lab.name} did not start; "
                    f"its console ({console}) ends with: {said or 'nothing'}"
                )
            time.sleep(0.02)

    def _clear(self) -> None:
        """Take away what a host that is off leaves: cable and control group. Its mounts died with their namespace."""
        cable = self._lab.cable(self._host)
        # The kernel removes the pair when the host's network namespace goes, a moment after its last process.
        if not self._group.wait(lambda: not network.exists(cable), 2.0):
            network.remove(cable)
        self._group.remove()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if os.geteuid() != 0:
            raise LabError("the power of a lab's host is root's to change")
        with locked(self._places.running(self._host)):
            yield
