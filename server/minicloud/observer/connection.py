"""A libvirt connection to a host, opened in bounded time and watched while it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import libvirt

from .address import Unreachable, knock, libvirt_address
from .event_loop import ensure_event_loop

# A host that answers no ping for about 6 seconds is gone.
_KEEPALIVE_INTERVAL = 2
_KEEPALIVE_COUNT = 2
_OPEN_TIMEOUT = 10.0
# Attempts to open that hang on, for one host: libvirt offers no way to end them.
_HANGING_AT_MOST = 3


class Opener:
    """Opens connections to one host, and never waits longer than a few seconds for one."""

    def __init__(self, uri: str, pki: Path) -> None:
        self.address = libvirt_address(uri, pki)
        self._pki = pki
        self._attempts: list[_Attempt] = []

    def open(self) -> libvirt.virConnect:
        """Open a connection.

        :raises Unreachable: when nobody answers in time.
        """
        ensure_event_loop()
        knock(self.address, self._pki)
        self._attempts = [attempt for attempt in self._attempts if attempt.is_alive()]
        if len(self._attempts) >= _HANGING_AT_MOST:
            raise Unreachable(f"{self.address.uri} answers, but libvirt there takes no connection")
        attempt = _Attempt(self.address.uri)
        attempt.start()
        connection = attempt.result(_OPEN_TIMEOUT)
        if connection is None:
            self._attempts.append(attempt)
            raise Unreachable(f"libvirt at {self.address.host} did not open a connection within {_OPEN_TIMEOUT:g} s")
        return connection


class _Attempt(threading.Thread):
    """One call of ``libvirt.open``; one that comes too late closes what it got."""

    def __init__(self, uri: str) -> None:
        super().__init__(name="libvirt-open", daemon=True)
        self._uri = uri
        self._lock = threading.Lock()
        self._abandoned = False
        self._connection: libvirt.virConnect | None = None
        self._error: libvirt.libvirtError | None = None

    def run(self) -> None:
        try:
            connection = libvirt.open(self._uri)
        except libvirt.libvirtError as error:
            self._error = error
            return
        with self._lock:
            self._connection = connection
            abandoned = self._abandoned
        if abandoned:
            close(connection)

    def result(self, timeout: float) -> libvirt.virConnect | None:
        """:returns: the connection, None when it takes too long.
        :raises Unreachable: when libvirt refused.
        """
        self.join(timeout)
        with self._lock:
            self._abandoned = self._connection is None
        if self._error is not None:
            raise Unreachable(str(self._error)) from self._error
        return self._connection


def watch(connection: libvirt.virConnect, on_domain: Callable[[str], None], on_close: Callable[[], None]) -> None:
    """Be told of changes.

    :param on_domain: called with a domain's UUID when its life or its metadata changed.
    :param on_close: called when the connection broke. Both are called in libvirt's event thread and must not wait.
    """

    def changed(_connection: Any, domain: libvirt.virDomain, *_details: Any) -> None:
        on_domain(domain.UUIDString())

    for event in (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE):
        connection.domainEventRegisterAny(None, event, changed, None)
    connection.registerCloseCallback(lambda *_ignored: on_close(), None)
    # Local drivers know no keepalive, and need none.
    with suppress(libvirt.libvirtError):
        connection.setKeepAlive(_KEEPALIVE_INTERVAL, _KEEPALIVE_COUNT)


def close(connection: libvirt.virConnect) -> None:
    """Close, whatever state the connection is in."""
    with suppress(libvirt.libvirtError):
        connection.close()
