# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Carrying out one migration order, from the host that the VM leaves."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from ..model.errors import (
    HypervisorError,
    HypervisorTimeoutError,
    InputError,
    MinicloudError,
    NotFoundError,
    Problem,
)
from ..model.order import MigrationOrder
from .apply import check_epoch
from .binding import libvirt
from .completion import read_uuid
from .connection import open_connection
from .domain_state import read_state
from .failure import explained
from .host import Hypervisor
from .inspection import Inspection, find, lookup_uuid
from .lock import exclusive
from .metadata_write import write_metadata
from .migration_job import MigrationJob, read_statistics
from .migration_seat import MigrationSeat
from .migration_storage import MigrationStorage
from .result import ItemResult

_LOCK_TIMEOUT: Final = 60.0


def migrate_order(hypervisor: Hypervisor, mapping: Mapping[str, Any], *, check: bool = False) -> ItemResult:
    """Move a VM from this host to another; never raises for what goes wrong with this one.

    :param mapping: as :meth:`.MigrationOrder.to_mapping` gives it; for people ``destination_uri`` and a name or an id
        are enough.
    :param check: only say what would be done.
    """
    result = ItemResult.of(mapping)
    started = time.monotonic()
    try:
        with _destination(mapping) as destination:
            order = complete_migration(hypervisor, destination, mapping)
            result.id = order.id
            migration = Migration(hypervisor, destination, order, result)
            if check:
                migration.foresee()
            else:
                with exclusive(hypervisor.layout.lock(order.uuid), timeout=_LOCK_TIMEOUT):
                    migration.carry_out()
    except MinicloudError as error:
        result.error = error
    except Exception as error:  # a defect met by one item must not take the others along
        result.error = MinicloudError(f"{type(error).__name__}: {error}", hint="this is a defect of minicloud")
    result.seconds = time.monotonic() - started
    return result


def complete_migration(hypervisor: Hypervisor, destination: Any, mapping: Mapping[str, Any]) -> MigrationOrder:
    """Fill an order's gaps from what the hosts say.

    :raises NotFoundError: when neither host has the VM.
    :raises InputError: when the order is wrong.
    """
    given = {key: value for key, value in mapping.items() if value is not None}
    names = {"vm_id": str(given.get("id") or ""), "name": str(given.get("name") or "")}
    uuid = read_uuid(given["uuid"]) if given.get("uuid") else ""
    found = find(hypervisor.connection, uuid=uuid, **names) or find(destination, uuid=uuid, **names)
    if found is None:
        raise NotFoundError(
            f"{names['vm_id'] or names['name'] or uuid} is neither on this host nor at {given.get('destination_uri')}",
            hint="the VM may run elsewhere: ask the service, or every host with vm_info",
        )
    metadata = found.definition.metadata
    host = urlsplit(str(given.get("destination_uri") or "")).hostname or ""
    with explained("read the hosts' names"):
        defaults: dict[str, Any] = {
            "id": metadata.id,
            "name": metadata.name,
            "uuid": found.definition.uuid,
            "epoch": metadata.epoch,
            "source": hypervisor.connection.getHostname(),
            "destination": destination.getHostname(),
            "migrate_host": host,
        }
    return MigrationOrder.from_mapping({**defaults, **{key: value for key, value in given.items() if value != ""}})


@contextmanager
def _destination(mapping: Mapping[str, Any]) -> Iterator[Any]:
    """The other host, opened from here: what libvirtd will need anyway is found missing before anything begins."""
    uri = str(mapping.get("destination_uri") or "")
    if not uri:
        raise InputError([Problem("destination_uri", "missing", "such as qemu+tls://10.0.0.2/system")])
    with open_connection(uri) as destination:
        yield destination


@dataclass
class Migration:
    """One migration between two open hosts; the VM's lock is held by the caller."""

    hypervisor: Hypervisor
    destination: Any
    order: MigrationOrder
    result: ItemResult

    def foresee(self) -> None:
        """Say what would be done."""
        source = self._look()
        self.result.changed = source is not None
        self.result.after = {"host": self.order.destination, "state": self.result.state}

    def carry_out(self) -> None:
        """Move the VM, unless it is at its destination already."""
        source = self._look()
        if source is None:
            self.result.after = self.result.before
            return
        if self.order.epoch > source.definition.metadata.epoch:
            write_metadata(source.domain, replace(source.definition.metadata, epoch=self.order.epoch))
        seat = MigrationSeat(self.destination, source, self.order.numa)
        seated = seat.parameters()
        storage = MigrationStorage(self.hypervisor, self.destination, source, copy=self.order.copy_storage)
        storage.prepare()
        job = MigrationJob(source.domain, self.order.id)
        try:
            job.run(
                self.order.destination_uri,
                {**migration_parameters(self.order), **seated},
                migration_flags(self.order, active=source.state != "stopped", copies=storage.mirrored),
                self.order.timeout,
            )
        except MinicloudError as error:
            self._recover(storage, error)
        finally:
            self.result.extra["progress"] = job.progress.snapshots
        storage.clear_source()
        self._report()
        seat.settle()

    def _look(self) -> Inspection | None:
        """Find the VM on the source; None when it is at the destination."""
        order, result = self.order, self.result
        result.extra |= {"uuid": order.uuid, "source": order.source, "destination": order.destination}
        source = find(self.hypervisor.connection, uuid=order.uuid, vm_id=order.id)
        arrived = find(self.destination, uuid=order.uuid, vm_id=order.id) if source is None else None
        found = source or arrived
        if found is None:
            raise NotFoundError(f"{order.id} is neither on {order.source} nor on {order.destination}")
        check_epoch(order.id, order.epoch, found.definition)
        result.state = found.state
        result.before = {"host": order.source if source else order.destination, "state": found.state}
        return source

    def _recover(self, storage: MigrationStorage, error: MinicloudError) -> None:
        """After a failure: the VM is where it was, unless only the news of its arrival was lost.

        :raises MinicloudError: the failure, with where the VM is now.
        """
        here = self._state_at(self.hypervisor.connection)
        there = self._state_at(self.destination)
        if here == "absent" and there in ("running", "paused"):
            return
        if there == "absent":
            storage.take_back()
        self.result.state = here
        self.result.after = {"host": self.order.source, "state": here}
        where = (
            f"the VM is still {here} on {self.order.source}"
            if here in ("running", "paused", "stopped")
            else f"the VM is {here} on {self.order.source} and {there} on {self.order.destination}"
        )
        kind = HypervisorTimeoutError if isinstance(error, HypervisorTimeoutError) else HypervisorError
        details = {**error.details, "source_state": here, "destination_state": there}
        raise kind(f"{error.message}; {where}", hint=error.hint, details=details) from error

    def _state_at(self, connection: Any) -> str:
        try:
            domain = lookup_uuid(connection, self.order.uuid)
            return "absent" if domain is None else read_state(domain)[0]
        except (HypervisorError, libvirt.libvirtError):
            return "unknown"

    def _report(self) -> None:
        """What it cost, as the destination knows: the source has forgotten the domain."""
        self.result.changed = True
        domain = lookup_uuid(self.destination, self.order.uuid)
        state = self._state_at(self.destination)
        self.result.state = state
        self.result.after = {"host": self.order.destination, "state": state}
        statistics: Mapping[str, Any] = {}
        with suppress(libvirt.libvirtError):
            if domain is not None:
                statistics = domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
        self.result.extra |= read_statistics(statistics)


def migration_flags(order: MigrationOrder, *, active: bool, copies: bool) -> int:
    """libvirt's flags for an order.

    :param active: whether the guest runs or is paused; else only its definition moves.
    :param copies: whether libvirt copies disks along.
    """
    flags = libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    if not active:
        return int(flags | libvirt.VIR_MIGRATE_OFFLINE)
    flags |= libvirt.VIR_MIGRATE_ABORT_ON_ERROR
    if order.live:
        flags |= libvirt.VIR_MIGRATE_LIVE
    if copies:
        flags |= libvirt.VIR_MIGRATE_NON_SHARED_DISK
    if order.tls:
        flags |= libvirt.VIR_MIGRATE_TLS
    return int(flags)


def migration_parameters(order: MigrationOrder) -> dict[str, Any]:
    """libvirt's typed parameters for an order. The port is libvirtd's to choose on the destination."""
    parameters: dict[str, Any] = {}
    if order.migrate_host:
        address = f"[{order.migrate_host}]" if ":" in order.migrate_host else order.migrate_host
        parameters[libvirt.VIR_MIGRATE_PARAM_URI] = f"tcp://{address}"
    if order.bandwidth_mib:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = order.bandwidth_mib
    return parameters
