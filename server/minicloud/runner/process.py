"""The operating-system process of one run, seen from the service: started, listened to, ended without remains."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import process_tree
from .directory import RunDirectory

_CHUNK = 1 << 16
# One line is one event; nothing honest is longer.
_LONGEST_LINE = 64 * 1024 * 1024


class RunProcess:
    """A running ``python -m minicloud.runner.run``, in a session of its own."""

    def __init__(self, directory: RunDirectory, environment: Mapping[str, str], *, control_path: Path) -> None:
        """Start it.

        :param control_path: where shared SSH connections live, which outlast the run.
        :raises OSError: when the machine cannot start another process.
        """
        self.directory = directory
        self._control_path = control_path
        with directory.errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "minicloud.runner.run", str(directory.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=directory.path,
                env=dict(environment),
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)
        self._rest = b""
        self.ended = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self, timeout: float) -> list[dict[str, Any]]:
        """Wait for lines, at most ``timeout`` seconds, and return those that are complete.

        Sets ``ended`` at the end of the stream.

        :raises ValueError: when the process writes what is no line of a run.
        """
        if not self._selector.select(timeout):
            return []
        chunk = self._pipe.read(_CHUNK)
        if chunk == b"":
            self.ended = True
            return []
        *lines, self._rest = (self._rest + (chunk or b"")).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise ValueError(f"the run wrote a line of more than {_LONGEST_LINE} bytes")
        return [json.loads(line) for line in lines if line]

    def terminate(self) -> None:
        """Ask it to end: it cancels Ansible and clears up after it."""
        process_tree.kill(self.pid, signal.SIGTERM, started=process_tree.start_time(self.pid))

    def destroy(self) -> set[int]:
        """End it and every process that it started, at once.

        Its children go first: while it lives, orphans come to it instead of getting away.

        :returns: pids that would not go.
        """
        left = process_tree.extinguish(self._remains)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        left |= process_tree.extinguish(self._remains)
        self._selector.close()
        self._pipe.close()
        return left

    def _remains(self) -> set[int]:
        found = process_tree.members(self.directory.run)
        if self._process.poll() is None:
            found |= process_tree.descendants(self.pid)
        found.discard(self.pid)
        return {pid for pid in found if not process_tree.is_connection(pid, self._control_path)}
