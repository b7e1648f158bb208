# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for domains to change, woken by libvirt's events."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from .binding import libvirt

# An event can be lost with its connection: look again this often, in seconds, whatever was heard.
_LOOK_AGAIN = 1.0


class DomainWatch:
    """Listens to one connection on behalf of any number of waiting threads."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._changed = threading.Condition()
        self._generation = 0
        self._reboots: Counter[str] = Counter()
        self._callbacks = [
            connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_lifecycle, None),
            connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._on_reboot, None),
        ]

    def close(self) -> None:
        for callback in self._callbacks:
            self._connection.domainEventDeregisterAny(callback)
        self._callbacks = []

    def reboots(self, uuid: str) -> int:
        """How often the guest of this UUID has been reset since the watch began."""
        with self._changed:
            return self._reboots[uuid]

    def wait(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Wait until a condition holds.

        :param holds: asked on every event and once a second; may call libvirt.
        :param timeout: seconds.
        :returns: whether it held in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                seen = self._generation
            if holds():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._await_event(seen, min(left, _LOOK_AGAIN))

    def _await_event(self, seen: int, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._generation != seen, timeout)

    def _on_lifecycle(self, *_event: object) -> None:
        self._notify(None)

    def _on_reboot(self, _connection: object, domain: Any, _opaque: object) -> None:
        self._notify(domain.UUIDString())

    def _notify(self, rebooted: str | None) -> None:
        with self._changed:
            self._generation += 1
            if rebooted is not None:
                self._reboots[rebooted] += 1
            self._changed.notify_all()
