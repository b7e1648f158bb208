# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Making, changing and removing one domain with all that belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.order import DiskOrder
from .binding import libvirt
from .completion import VmRequest
from .definition import Definition, Disk, Seed
from .domain_xml import annotation_of, change_domain, render_domain, title_of
from .drift import grown_disks
from .failure import NO_DOMAIN, OPERATION_INVALID, explained, tolerating
from .host import Hypervisor
from .image import backing_disk, prepare_image
from .inspection import Inspection
from .lock import exclusive
from .metadata_write import write_annotation, write_metadata, write_title
from .plan import Plan
from .pool import pool_names
from .seat import seat_on
from .seed import make_seed
from .volume import VolumeMaker, delete_volumes, grow, owned_volumes
from .wanted import overlaid_disk

_DEFAULT_POOL: Final = "default"
# What decides how many threads a domain needs, and where.
_SEAT: Final = frozenset({"cpu", "pinned", "numa"})
# Seconds. Choosing and defining take less than one.
_SEAT_TIMEOUT: Final = 30.0


class DomainWork:
    """The work on one VM's domain, done by one thread that holds the VM's lock."""

    def __init__(self, hypervisor: Hypervisor, request: VmRequest, wanted: Definition) -> None:
        self._hypervisor = hypervisor
        self._connection = hypervisor.connection
        self._order = request.order
        self._wanted = wanted

    @contextmanager
    def create(self) -> Iterator[Any]:
        """Make the domain and its volumes. When that, or what the caller does with it, fails, nothing stays behind."""
        self._prepare_image()
        log = self._hypervisor.layout.console_log(self._order.uuid)
        log_existed = log.exists()
        maker = VolumeMaker(self._connection, self._order.uuid)
        domain = None
        try:
            definition = self._with_volumes(maker, self._wanted, {disk.name for disk in self._wanted.disks}, seed=True)
            image = self._order.image
            architecture = image.architecture if image is not None else self._hypervisor.architecture
            capabilities = self._hypervisor.capabilities(architecture, self._order.machine)
            log.parent.mkdir(parents=True, exist_ok=True)
            with self._seated(definition) as seated, explained(f"define {self._order.id}"):
                domain = self._connection.defineXML(render_domain(seated, capabilities, str(log)))
            yield domain
        except BaseException:
            if domain is not None:
                with suppress(libvirt.libvirtError):
                    _discard(domain)
            maker.take_back()
            if not log_existed:
                remove_logs(log)
            raise

    def change(self, known: Inspection, decided: Plan) -> None:
        """Write the epoch, and whatever differs, into the domain. What a guest runs on is left as it is.

        The epoch goes first: from then on no older order gets through, whatever becomes of this one.
        """
        if decided.epoch:
            older = replace(known.definition.metadata, epoch=self._wanted.metadata.epoch)
            write_metadata(known.domain, older)
        if decided.definition == "change" or {"start", "start_paused"} & set(decided.power):
            self._prepare_image()
        if decided.definition == "change":
            self._redefine(known, decided)

    def remove(self, known: Inspection | None) -> bool:
        """Remove the domain and all that is the VM's. Returns whether there was anything.

        The definition goes last: as long as it is there, a repetition finds all the rest.
        """
        domain = known.domain if known else None
        if domain is not None:
            with explained(f"stop {self._order.id}"), tolerating(OPERATION_INVALID, NO_DOMAIN):
                domain.destroy()
        volumes = self._volumes(known)
        delete_volumes(volumes)
        removed_logs = remove_logs(self._hypervisor.layout.console_log(self._order.uuid))
        if domain is not None:
            with explained(f"undefine {self._order.id}"), tolerating(NO_DOMAIN):
                _undefine(domain)
        return domain is not None or bool(volumes) or removed_logs

    def _prepare_image(self) -> None:
        if self._order.image is not None:
            prepare_image(self._hypervisor.layout.images, self._order.image)

    def _redefine(self, known: Inspection, decided: Plan) -> None:
        fields = frozenset(decided.differences)
        existing = {disk.name: disk for disk in known.definition.disks}
        new = {disk.name for disk in self._wanted.disks if disk.name not in existing} if "disks" in fields else set()
        maker = VolumeMaker(self._connection, self._order.uuid)
        try:
            definition = self._with_volumes(maker, self._wanted, new, seed="cloud_init" in fields)
            with self._seated(definition, known, fields) as seated, explained(f"change {self._order.id}"):
                xml = known.domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
                self._connection.defineXML(change_domain(xml, seated, fields))
        except BaseException:
            maker.take_back()
            raise
        for disk, size in grown_disks(known.definition, self._wanted):
            grow(self._connection, known.domain, disk, size)
        write_metadata(known.domain, self._wanted.metadata)
        write_annotation(known.domain, annotation_of(definition))
        write_title(known.domain, title_of(self._wanted))

    @contextmanager
    def _seated(
        self, definition: Definition, known: Inspection | None = None, fields: frozenset[str] = _SEAT
    ) -> Iterator[Definition]:
        """The definition with threads. Nobody else chooses any until it is defined, since then they would be the same.

        :param known: what exists; it keeps its threads unless one of ``fields`` makes it choose anew.
        """
        if known is not None and not fields & _SEAT:
            yield replace(definition, threads=known.definition.threads)
        elif not definition.pinned:
            yield replace(definition, threads=seat_on(self._connection, definition))
        else:
            with exclusive(self._hypervisor.layout.seats, timeout=_SEAT_TIMEOUT):
                yield replace(definition, threads=seat_on(self._connection, definition))

    def _with_volumes(self, maker: VolumeMaker, definition: Definition, new: set[str], *, seed: bool) -> Definition:
        """The definition with paths: of the new disks' volumes, and of the seed when that is new."""
        orders = {disk.name: disk for disk in self._order.disks}
        disks = tuple(
            self._make_disk(maker, orders[disk.name]) if disk.name in new else disk for disk in definition.disks
        )
        made_seed = definition.seed
        if seed and self._order.cloud_init is not None and made_seed is not None:
            pool = self._order.disks[0].pool if self._order.disks else _DEFAULT_POOL
            made_seed = Seed(made_seed.digest, maker.seed(make_seed(self._order.cloud_init), pool))
        return replace(definition, disks=disks, seed=made_seed)

    def _make_disk(self, maker: VolumeMaker, disk: DiskOrder) -> Disk:
        if self._order.image is None or disk.name != overlaid_disk(self._order):
            return maker.disk(disk.name, disk.size, disk.pool, None)
        backing = backing_disk(self._hypervisor.layout.images, self._order.image)
        if backing is not None and 0 < disk.size < backing.size:
            field = f"disks.{self._order.disks.index(disk)}.size"
            raise InputError(
                [Problem(field, f"{disk.size} bytes are less than the image has", f"at least {backing.size}")]
            )
        return maker.disk(disk.name, disk.size or (backing.size if backing else 0), disk.pool, backing)

    def _volumes(self, known: Inspection | None) -> list[Any]:
        paths = [disk.path for disk in known.definition.disks] if known else []
        if known is not None and known.definition.seed is not None:
            paths.append(known.definition.seed.path)
        return owned_volumes(self._connection, self._order.uuid, paths, pool_names(self._connection))


def _discard(domain: Any) -> None:
    if domain.isActive():
        domain.destroy()
    _undefine(domain)


def _undefine(domain: Any) -> None:
    """Undefine with all that libvirt keeps for a domain, without which it refuses."""
    if domain.isPersistent():
        domain.undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )


def remove_logs(log: Path) -> bool:
    """Remove a serial log and those that libvirt's log daemon has rotated away."""
    logs = [path for path in (log, *log.parent.glob(f"{log.name}.*")) if path.exists()]
    for path in logs:
        path.unlink(missing_ok=True)
    return bool(logs)
