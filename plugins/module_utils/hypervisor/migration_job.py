# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One migration under way: libvirt's call on a thread, its progress watched from another."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from ..model.errors import HypervisorError, HypervisorTimeoutError
from .binding import libvirt
from .failure import OPERATION_INVALID, explained, tolerating

# Seconds between two looks at the progress.
_LOOK: Final = 0.25
# Snapshots that a result carries at most; a long migration keeps them at growing distances.
PROGRESS_MAX: Final = 40
# Seconds that libvirt gets to unwind an aborted migration.
_UNWIND: Final = 60.0


class Progress:
    """Snapshots of a migration, thinned out as they grow many."""

    def __init__(self) -> None:
        self.snapshots: list[dict[str, Any]] = []
        self._stride = 1
        self._seen = 0

    def add(self, seconds: float, statistics: Mapping[str, Any]) -> None:
        """Keep one snapshot, or pass it over when there are many already.

        :param seconds: since the start.
        :param statistics: as ``virDomainGetJobStats`` answers.
        """
        self._seen += 1
        if (self._seen - 1) % self._stride:
            return
        self.snapshots.append(
            {
                "seconds": round(seconds, 3),
                "processed": int(statistics.get("data_processed", 0)),
                "remaining": int(statistics.get("data_remaining", 0)),
                "total": int(statistics.get("data_total", 0)),
                "iteration": int(statistics.get("memory_iteration", 0)),
            }
        )
        if len(self.snapshots) > PROGRESS_MAX:
            self.snapshots = self.snapshots[::2]
            self._stride *= 2


def read_statistics(statistics: Mapping[str, Any]) -> dict[str, Any]:
    """What a finished migration cost, from ``virDomainGetJobStats`` of a completed job: milliseconds and bytes."""
    return {
        "total_ms": int(statistics.get("time_elapsed", 0)),
        "downtime_ms": int(statistics.get("downtime", 0)),
        "setup_ms": int(statistics.get("setup_time", 0)),
        "transferred": int(statistics.get("data_processed", 0)),
        "memory_transferred": int(statistics.get("memory_processed", 0)),
        "disk_transferred": int(statistics.get("disk_processed", 0)),
        "iterations": int(statistics.get("memory_iteration", 0)),
    }


class MigrationJob:
    """Runs one migration.

    :param domain: on the source.
    :param name: for messages.
    """

    def __init__(self, domain: Any, name: str) -> None:
        self._domain = domain
        self._name = name
        self._error: BaseException | None = None
        self.progress = Progress()

    def run(self, destination_uri: str, parameters: dict[str, Any], flags: int, timeout: float) -> None:
        """Migrate, and return when it is done.

        :param timeout: seconds after which it is aborted.
        :raises HypervisorError: when libvirt gives up.
        :raises HypervisorTimeoutError: when it was aborted.
        """
        started = time.monotonic()
        thread = threading.Thread(
            target=self._migrate, args=(destination_uri, parameters, flags), name=f"migrate-{self._name}", daemon=True
        )
        thread.start()
        while thread.is_alive() and time.monotonic() - started < timeout:
            thread.join(_LOOK)
            self._look(time.monotonic() - started)
        timed_out = thread.is_alive()
        if timed_out:
            self._abort(thread)
        if self._error is None:
            return
        if timed_out:
            raise HypervisorTimeoutError(
                f"{self._name} did not reach {destination_uri} within {timeout:g} s, and the migration was aborted",
                hint="a busy guest needs more bandwidth or more time: raise timeout or bandwidth_mib",
            ) from self._error
        if isinstance(self._error, HypervisorError):
            raise self._error
        raise HypervisorError(f"{type(self._error).__name__}: {self._error}") from self._error

    def _migrate(self, destination_uri: str, parameters: dict[str, Any], flags: int) -> None:
        try:
            with explained(f"migrate {self._name} to {destination_uri}"):
                self._domain.migrateToURI3(destination_uri, parameters, flags)
        except BaseException as error:  # carried over to the thread that waits
            self._error = error

    def _look(self, seconds: float) -> None:
        try:
            statistics = self._domain.jobStats(0)
        except libvirt.libvirtError:
            return  # the domain has just left, or its monitor is busy: the next look will tell
        if statistics.get("type", 0):
            self.progress.add(seconds, statistics)

    def _abort(self, thread: threading.Thread) -> None:
        with explained(f"abort the migration of {self._name}"), tolerating(OPERATION_INVALID):
            self._domain.abortJob()
        thread.join(_UNWIND)
        if thread.is_alive():
            raise HypervisorTimeoutError(
                f"the migration of {self._name} was aborted, and libvirt has not ended it within {_UNWIND:g} s",
                hint="look at virsh domjobinfo on the source",
            )
