# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host's hypervisor, opened: the connection and what goes with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .capabilities import HostCapabilities, read_capabilities, read_host_architecture, read_host_uuid
from .connection import open_connection
from .failure import explained
from .watch import DomainWatch


@dataclass(frozen=True)
class Layout:
    """Where a host keeps what is minicloud's: cached images, serial logs, locks."""

    root: Path = Path("/var/lib/minicloud")

    @classmethod
    def at(cls, root: str) -> Layout:
        return cls(Path(root))

    @property
    def images(self) -> Path:
        return self.root / "images"

    def console_log(self, uuid: str) -> Path:
        return self.root / "console" / f"{uuid}.log"

    @property
    def seats(self) -> Path:
        """The lock of whoever chooses threads for a VM."""
        return self.root / "locks" / "seats.lock"

    def lock(self, uuid: str) -> Path:
        return self.root / "locks" / f"{uuid}.lock"


@dataclass
class Hypervisor:
    """One open host. Its methods may be called from many threads."""

    connection: Any
    watch: DomainWatch
    layout: Layout
    accelerator: str
    uuid: str
    architecture: str
    _capabilities: dict[tuple[str, str], HostCapabilities] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def capabilities(self, architecture: str, machine: str = "") -> HostCapabilities:
        """What a new domain of an architecture is made of here, on a machine if that matters; asked once.

        :raises HypervisorError: when the host cannot run it.
        """
        with self._lock:
            kind = architecture, machine
            if kind not in self._capabilities:
                self._capabilities[kind] = read_capabilities(self.connection, architecture, self.accelerator, machine)
            return self._capabilities[kind]


@contextmanager
def open_hypervisor(uri: str, layout: Layout, accelerator: str = "auto") -> Iterator[Hypervisor]:
    """Open a host.

    :param uri: of the libvirtd on the machine that this runs on: images and logs are files of that machine.
    :param accelerator: ``auto``, ``kvm`` or ``tcg``, for domains that are made new.
    :raises HypervisorError: when libvirtd does not answer.
    """
    with open_connection(uri) as connection:
        with explained("read the host's capabilities"):
            xml = connection.getCapabilities()
            watch = DomainWatch(connection)
        try:
            yield Hypervisor(connection, watch, layout, accelerator, read_host_uuid(xml), read_host_architecture(xml))
        finally:
            watch.close()
