# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Opening a libvirt connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..model.errors import HypervisorError
from .binding import libvirt
from .event_loop import EVENT_LOOP
from .failure import explained

# A peer that stays silent for 5 s * 6 is gone: calls that wait for it fail instead of hanging for ever.
_KEEPALIVE_INTERVAL = 5
_KEEPALIVE_COUNT = 6


@contextmanager
def open_connection(uri: str) -> Iterator[Any]:
    """A ``virConnect`` with keepalive and events, closed at the end.

    :param uri: such as ``qemu:///system`` or ``qemu+tls://ADDRESS/system``.
    :raises HypervisorError: when nobody answers there, or the binding is not installed.
    """
    if libvirt is None:
        raise HypervisorError("libvirt's Python binding is not installed", hint="install python3-libvirt on this host")
    EVENT_LOOP.start()
    with explained(f"connect to {uri}"):
        connection = libvirt.open(uri)
    try:
        # The test driver has no peer to keep alive.
        with suppress(libvirt.libvirtError):
            connection.setKeepAlive(_KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT)
        yield connection
    finally:
        with suppress(libvirt.libvirtError):
            connection.close()
