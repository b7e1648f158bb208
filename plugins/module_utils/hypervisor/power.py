# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Switching one domain's power, and waiting until it has happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from ..model.errors import HypervisorTimeoutError
from .binding import libvirt
from .domain_state import read_state
from .failure import OPERATION_INVALID, explained, tolerating
from .watch import DomainWatch

# A guest that still boots misses the power button: press it again, every so many seconds.
_PRESS_AGAIN: Final = 2.0


class Power:
    """The power of one domain.

    :param name: for messages.
    :param wait: seconds within which a step has to have happened.
    :param graceful: seconds a guest gets to shut down or reboot by itself before it is forced.
    """

    def __init__(self, domain: Any, watch: DomainWatch, name: str, *, wait: float, graceful: float) -> None:
        self._domain = domain
        self._watch = watch
        self._name = name
        self._wait = wait
        self._graceful = graceful
        self.forced = False

    def take(self, step: str) -> None:
        """Take one step of a plan.

        :raises HypervisorError: when libvirt refuses.
        :raises HypervisorTimeoutError: when it has not happened in time.
        """
        steps: dict[str, Callable[[], None]] = {
            "start": self._start,
            "start_paused": self._start_paused,
            "stop": self._stop,
            "cut": self._cut,
            "pause": self._pause,
            "resume": self._resume,
            "wake": self._wake,
            "reboot": self._reboot,
            "reset": self._reset,
        }
        with explained(f"{step.replace('_', ' ')} {self._name}"):
            steps[step]()

    def _state(self) -> str:
        return read_state(self._domain)[0]

    def _await(self, state: str) -> None:
        if not self._watch.wait(lambda: self._state() == state, self._wait):
            raise HypervisorTimeoutError(
                f"{self._name} is {self._state()}, not {state}, after {self._wait:g} s",
                hint="give it longer with wait, or look at its console log",
            )

    def _start(self) -> None:
        self._domain.create()
        self._await("running")

    def _start_paused(self) -> None:
        self._domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        self._await("paused")

    def _pause(self) -> None:
        self._domain.suspend()
        self._await("paused")

    def _resume(self) -> None:
        self._domain.resume()
        self._await("running")

    def _wake(self) -> None:
        self._domain.pMWakeup(0)
        self._await("running")

    def _cut(self) -> None:
        # It may have ended by itself since it was looked at.
        with tolerating(OPERATION_INVALID):
            self._domain.destroy()
        self._await("stopped")

    def _stop(self) -> None:
        if not self._ask(self._domain.shutdown, lambda: self._state() == "stopped"):
            self.forced = True
            self._cut()

    def _reboot(self) -> None:
        uuid = self._domain.UUIDString()
        before = self._watch.reboots(uuid)
        if not self._ask(lambda: self._domain.reboot(0), lambda: self._watch.reboots(uuid) > before):
            self.forced = True
            self._domain.reset(0)
        self._await("running")

    def _reset(self) -> None:
        self._domain.reset(0)
        self._await("running")

    def _ask(self, press: Callable[[], object], done: Callable[[], bool]) -> bool:
        """Press a button until the guest has obeyed; False when it has not within the graceful time."""
        deadline = time.monotonic() + self._graceful
        while (left := deadline - time.monotonic()) > 0:
            # It may have obeyed between the look and the press.
            with tolerating(OPERATION_INVALID):
                press()
            if self._watch.wait(done, min(left, _PRESS_AGAIN)):
                return True
        return done()
