"""One host under observation: a thread that keeps a connection and reads it, on a timer and at every event."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import libvirt
import structlog

from minicloud.services.view.observation import HostObservation

from .address import Unreachable
from .connection import Opener, close, watch
from .reading import Reader, Use

# Events come in bursts: after one, wait a moment for its companions before reading, in seconds.
_GATHER = 0.03
# Back-off between attempts to connect, in seconds: the first, the longest.
_RETRY_FIRST = 0.5
_RETRY_LONGEST = 5.0

_log = structlog.get_logger(__name__)


class HostWatch:
    """Observes one host in a thread of its own, so that one that hangs holds nobody up.

    :param uri: its libvirt URI.
    :param pki: the folder of our client certificate.
    :param interval: seconds between two readings without an event.
    :param clock: the time, for observations.
    :param record: takes an observation.
    :param record_silence: takes the reason why there is none; called for every attempt that fails.
    """

    def __init__(
        self,
        host: str,
        uri: str,
        pki: Path,
        *,
        interval: float,
        clock: Callable[[], datetime],
        record: Callable[[HostObservation], None],
        record_silence: Callable[[str, str], None],
    ) -> None:
        self.host = host
        self.uri = uri
        self._opener = Opener(uri, pki)
        self._interval = interval
        self._clock = clock
        self._record = record
        self._record_silence = record_silence
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._reader: Reader | None = None
        self._broken = False
        self._use = Use()
        self._failures = 0
        self._heard = time.monotonic()
        self._thread = threading.Thread(target=self._observe_forever, name=f"observe-{host}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; :meth:`join` waits for that."""
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    @property
    def connected(self) -> bool:
        return self._reader is not None

    @property
    def silence(self) -> float:
        """Seconds since the host was last heard of, or failed in a way that was recorded."""
        return time.monotonic() - self._heard

    def report_stuck(self) -> None:
        """Record silence on behalf of the thread, which is stuck in a call."""
        self._record_silence(self.host, f"libvirt there has not answered for {self.silence:.0f} s")

    def _observe_forever(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self._observe_once()
                self._failures = 0
            except (Unreachable, libvirt.libvirtError) as error:
                if self._lost_connection():
                    continue  # it may have been a restart: once more, at once
                self._fail(str(error))
            except Exception as error:
                _log.exception("observer.failed", host=self.host)
                self._lost_connection()
                self._fail(f"the observer failed: {error}")
            self._heard = time.monotonic()
            if not self._stop.is_set():
                self._pause()
        self._lost_connection()

    def _observe_once(self) -> None:
        reader = self._reader
        if reader is None or self._broken:
            self._lost_connection()
            reader = self._connect()
        self._record(reader.read(self._clock()))

    def _connect(self) -> Reader:
        connection = self._opener.open()
        reader = self._reader = Reader(self.host, connection, self._use)
        self._broken = False

        def on_domain(uuid: str) -> None:
            reader.forget(uuid)
            self._wake.set()

        def on_close() -> None:
            if self._reader is reader:
                self._broken = True
                self._wake.set()

        watch(connection, on_domain, on_close)
        _log.info("observer.connected", host=self.host)
        return reader

    def _lost_connection(self) -> bool:
        """Drop the connection.

        :returns: whether there was one.
        """
        reader, self._reader = self._reader, None
        if reader is None:
            return False
        self._use = reader.use
        close(reader.connection)
        return True

    def _fail(self, reason: str) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.warning("observer.silent", host=self.host, reason=reason)
        self._record_silence(self.host, reason)

    def _pause(self) -> None:
        if self._failures:
            longest = min(_RETRY_LONGEST, _RETRY_FIRST * 2 ** (self._failures - 1))
            self._stop.wait(longest * random.uniform(0.5, 1.0))
            return
        if self._wake.wait(self._interval):
            self._stop.wait(_GATHER)
