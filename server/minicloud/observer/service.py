"""The observer: one connection to each registered host, what it shows written down as it comes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import structlog
from minicloud_core.model.errors import MinicloudError

from minicloud.services import host as hosts
from minicloud.services import observation as observations
from minicloud.services.context import SYSTEM, Context
from minicloud.services.view.host import HostView
from minicloud.services.view.observation import HostObservation
from minicloud.settings import Settings

from .console import read_console
from .watch import HostWatch

_REFRESH = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ObserverStatus:
    """Hosts under observation, and those to which there is a connection now."""

    healthy: bool
    hosts: int
    connected: int


class Observer:
    """Keeps a :class:`HostWatch` for every registered host."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self._pki = settings.pki_dir / "client"
        self._watches: dict[str, HostWatch] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tend_forever, name="observer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End all observation; a watch that is stuck in a call is left behind after ``timeout`` seconds."""
        self._stop.set()
        deadline = time.monotonic() + timeout
        if self._thread.is_alive():
            self._thread.join(timeout)
        watches = list(self._watches.values())
        for watch in watches:
            watch.stop()
        for watch in watches:
            watch.join(max(0.0, deadline - time.monotonic()))

    @property
    def healthy(self) -> bool:
        return self._thread.is_alive() and not self._stop.is_set()

    def status(self) -> ObserverStatus:
        watches = list(self._watches.values())
        return ObserverStatus(self.healthy, len(watches), sum(watch.connected for watch in watches))

    def read_console(self, host: str, uuid: str, tail: int) -> bytes:
        """The last ``tail`` bytes that a domain wrote to its serial console; may be called from any thread.

        :raises NotFoundError: when no such host is registered.
        :raises UnavailableError: when the host cannot be asked.
        """
        view = hosts.get(self._context, SYSTEM, host)
        assert isinstance(view, HostView)  # whole for an admin, which the service itself is
        return read_console(view.libvirt_uri, self._pki, uuid, tail)

    def _tend_forever(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow_registrations()
                self._speak_for_the_stuck()
            except Exception:
                _log.exception("observer.tend_failed")
            self._stop.wait(_REFRESH)

    def _follow_registrations(self) -> None:
        registered = {host.name: host.libvirt_uri for host in hosts.list_all(self._context, SYSTEM)}
        for name, watch in list(self._watches.items()):
            if registered.get(name) != watch.uri:
                watch.stop()
                del self._watches[name]
        for name, uri in registered.items():
            if name not in self._watches:
                self._watches[name] = self._begin(name, uri)

    def _begin(self, name: str, uri: str) -> HostWatch:
        watch = HostWatch(
            name,
            uri,
            self._pki,
            interval=self._settings.observe_interval,
            clock=self._context.clock.now,
            record=self._record,
            record_silence=self._record_silence,
        )
        watch.start()
        return watch

    def _speak_for_the_stuck(self) -> None:
        patience = 2 * self._settings.observe_interval + 5
        for watch in list(self._watches.values()):
            if watch.silence > patience:
                watch.report_stuck()

    def _record(self, observation: HostObservation) -> None:
        try:
            observations.record(self._context, observation)
        except MinicloudError as error:
            _log.info("observation.refused", host=observation.host, reason=error.message)

    def _record_silence(self, host: str, reason: str) -> None:
        try:
            observations.record_silence(self._context, host, reason)
        except MinicloudError as error:
            _log.info("observation.refused", host=host, reason=error.message)
