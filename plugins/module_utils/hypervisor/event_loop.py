# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""libvirt's event loop on a thread of its own: keepalive and domain events need it."""

from __future__ import annotations

import atexit
import threading

from .binding import libvirt


class EventLoop:
    """The one loop of this process. libvirt allows a single implementation, registered before any connection opens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def start(self) -> None:
        """Start the loop; does nothing when it runs."""
        with self._lock:
            if self._thread is not None:
                return
            libvirt.virEventRegisterDefaultImpl()
            self._thread = threading.Thread(target=self._run, name="libvirt-events", daemon=True)
            self._thread.start()
            atexit.register(self._stop)

    def _run(self) -> None:
        while not self._stopping:
            libvirt.virEventRunDefaultImpl()

    def _stop(self) -> None:
        # A thread inside the binding while the interpreter is torn down crashes now and then.
        self._stopping = True
        libvirt.virEventAddTimeout(0, lambda _timer, _opaque: None, None)
        if self._thread is not None:
            self._thread.join(timeout=2)


EVENT_LOOP = EventLoop()
