# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What of a VM lies in files, and has to come along when it moves."""

from __future__ import annotations

from typing import Any, Final

from .domain_work import remove_logs
from .host import Hypervisor
from .inspection import Inspection
from .pool import pool_names
from .volume import delete_volumes, is_owned, owned_volumes
from .volume_copy import VolumeCopier

# The end of the serial log that moves with the VM: enough for people, and little beside its memory.
_LOG_TAIL: Final = 1024 * 1024


class MigrationStorage:
    """The files of one VM that is about to move.

    libvirt copies the disks of a running guest while it runs. It copies neither read-only disks, such as the seed,
    nor anything of a guest that is off, nor the serial log: those are copied here, before.

    :param copy: whether disks have to be copied because the hosts share no storage.
    """

    def __init__(self, hypervisor: Hypervisor, destination: Any, source: Inspection, *, copy: bool) -> None:
        self._hypervisor = hypervisor
        self._copier = VolumeCopier(hypervisor.connection, destination)
        self._uuid = source.definition.uuid
        definition = source.definition
        disks = [disk.path for disk in definition.disks if is_owned(self._uuid, disk.path)] if copy else []
        seed = [definition.seed.path] if copy and definition.seed and definition.seed.path else []
        running = source.state != "stopped"
        self._by_libvirt = disks if running else []
        self._by_us = seed if running else [*disks, *seed]

    @property
    def mirrored(self) -> bool:
        """Whether libvirt has disks to copy."""
        return bool(self._by_libvirt)

    def prepare(self) -> None:
        """Bring to the destination what libvirt will not; nothing stays there on failure."""
        self._copier.expect_none([*self._by_libvirt, *self._by_us])
        try:
            for path in self._by_us:
                self._copier.copy(path)
            self._carry_log()
        except BaseException:
            self._copier.take_back([])
            raise

    def take_back(self) -> None:
        """Remove from the destination whatever was brought there, libvirt's copies included."""
        self._copier.take_back(self._by_libvirt)

    def clear_source(self) -> None:
        """Remove from the source what the VM has taken along."""
        copied = [*self._by_libvirt, *self._by_us]
        if copied:
            connection = self._hypervisor.connection
            delete_volumes(owned_volumes(connection, self._uuid, copied, pool_names(connection)))
        remove_logs(self._hypervisor.layout.console_log(self._uuid))

    def _carry_log(self) -> None:
        """So that the console shows what came before. What the guest prints while it moves is not in it."""
        log = self._hypervisor.layout.console_log(self._uuid)
        if log.exists():
            self._copier.write_text(str(log), log.read_bytes()[-_LOG_TAIL:])
