"""A run's private directory: what its process reads, gone with the run.

It holds orders, and with them cloud-init data, so only its owner may read it. What is worth keeping of a run is in the
database.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A directory that no run claims and nobody touched for so long was left by a crash, in seconds.
STALE_AFTER = 3600.0


@dataclass(frozen=True)
class RunDirectory:
    """The directory of one run, named by it."""

    path: Path

    @property
    def run(self) -> str:
        return self.path.name

    @property
    def errors(self) -> Path:
        """What the run's process wrote on its error stream: its last words when it crashes."""
        return self.path / "stderr"

    @classmethod
    def create(
        cls, parent: Path, run: str, *, inventory: Mapping[str, Any], task: Mapping[str, Any], configuration: str
    ) -> RunDirectory:
        """Make the directory (0700) with ``inventory.json``, ``run.json`` and ``ansible.cfg``.

        :raises OSError: when the disk refuses; nothing is left then.
        """
        files = {"inventory.json": json.dumps(inventory), "run.json": json.dumps(task), "ansible.cfg": configuration}
        directory = cls(parent / run)
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.path.mkdir(mode=0o700)
        try:
            for folder in ("tmp", "project"):
                (directory.path / folder).mkdir(mode=0o700)
            for name, text in files.items():
                directory._write(name, text)
        except OSError:
            directory.remove()
            raise
        return directory

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def last_words(self, most: int = 2000) -> str:
        """The end of the error stream, at most ``most`` bytes of it."""
        try:
            with self.errors.open("rb") as stream:
                stream.seek(max(0, self.errors.stat().st_size - most))
                return stream.read().decode(errors="replace").strip()
        except OSError:
            return ""

    def _write(self, name: str, text: str) -> None:
        descriptor = os.open(self.path / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)


def existing(parent: Path) -> Iterator[RunDirectory]:
    """The directories of runs under ``parent``, also of runs that are over."""
    if parent.is_dir():
        yield from (RunDirectory(path) for path in parent.iterdir() if path.name.startswith("run-") and path.is_dir())


def sweep(parent: Path, *, keep: frozenset[str], now: float | None = None) -> list[str]:
    """Remove directories that belong to no run in ``keep`` and are older than an hour.

    :param now: Unix time in seconds; the present when None.
    :returns: names of the runs whose directories went.
    """
    moment = time.time() if now is None else now
    gone = []
    for directory in existing(parent):
        if directory.run not in keep and _age(directory.path, moment) > STALE_AFTER:
            directory.remove()
            gone.append(directory.run)
    return gone


def _age(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
