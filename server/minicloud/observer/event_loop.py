"""libvirt's event loop: one for the process, before the first connection."""

from __future__ import annotations

import threading
from contextlib import suppress

import libvirt

_lock = threading.Lock()
_running = False


def ensure_event_loop() -> None:
    """Start the loop unless it runs; it carries domain events and keepalives of every connection, for ever."""
    global _running  # noqa: PLW0603 - libvirt's own registration is as global as this
    with _lock:
        if _running:
            return
        libvirt.virEventRegisterDefaultImpl()
        # Errors are raised as exceptions already: nothing goes to standard error beside them.
        libvirt.registerErrorHandler(lambda *_ignored: None, None)
        threading.Thread(target=_turn, name="libvirt-events", daemon=True).start()
        _running = True


def _turn() -> None:
    while True:
        with suppress(libvirt.libvirtError):
            libvirt.virEventRunDefaultImpl()
