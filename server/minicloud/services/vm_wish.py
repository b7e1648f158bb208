"""A VM that somebody wishes for: what of it is known before it has a host, and its row once it has."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

from minicloud_core.model.errors import InputError, Problem
from minicloud_core.model.units import format_mib
from minicloud_core.model.vm import DiskSpec, VmSpec
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.vm_request import request_of

from minicloud.store import image as images
from minicloud.store.image import ImageRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import identifier
from .context import Actor, Idempotency
from .state import Deed
from .vm_names import VmNames

_DISK_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class VmWish:
    """A create as it was asked for.

    :param claim: the name of a terminal that will carry the operation out itself, for ``lease_seconds`` to begin with.
    :param reservation: the id of the reservation whose room it is to have; None for any room.
    """

    actor: Actor
    spec: VmSpec
    project: str
    claim: str | None = None
    lease_seconds: float = 60
    idempotency: Idempotency | None = None
    reservation: str | None = None

    @property
    def keys(self) -> frozenset[Hashable]:
        """Its name and its reservation, which are taken once, and its Idempotency-Key, which answers once."""
        keys: set[Hashable] = {("name", self.project, self.spec.name)}
        if self.idempotency is not None:
            keys.add(("key", self.idempotency.key))
        if self.reservation is not None:
            keys.add(("reservation", self.reservation))
        return frozenset(keys)

    def amounts(self, image: ImageRow) -> tuple[int, int, int, int]:
        """What it counts against a quota: one VM, its virtual CPUs, MiB and bytes."""
        return 1, self.spec.cpu, self.spec.ram_mib, disk_bytes_of(self.spec, image)

    def request(self, image: ImageRow, names: VmNames, vm_id: str | None = None) -> Request:
        """What it asks of a host.

        :param names: the VMs that it may name.
        :param vm_id: its id, if it has one yet.
        :raises InputError: when it names a VM that is not there.
        """
        ids = names.of(self.project)
        unknown = [(path, name) for path, name in self.spec.scheduling.vm_terms() if name not in ids]
        if unknown:
            allowed = "the name or id of a VM in the same project"
            raise InputError(
                [Problem(f"scheduling.{path}", f"there is no VM {name}", allowed) for path, name in unknown]
            )
        disk_bytes = disk_bytes_of(self.spec, image)
        request = request_of(
            self.spec, project=self.project, disk_bytes=disk_bytes, architecture=image.architecture, ids=ids
        )
        return replace(request, vm=vm_id)

    def row(self, deed: Deed, image: ImageRow, *, number: int, host: str) -> VmRow:
        """The VM on its host, yet to be written."""
        spec, entropy = self.spec, deed.ctx.entropy
        return VmRow(
            id=vm_id(number),
            number=number,
            uuid=identifier.domain_uuid(entropy),
            name=spec.name,
            project=self.project,
            spec=spec.to_mapping(),
            spec_hash=spec.hash(),
            cpu=spec.cpu,
            ram_mib=spec.ram_mib,
            disk_bytes=disk_bytes_of(spec, image),
            image=spec.image,
            image_content=_content(image),
            disks=[
                {"name": f"vd{letter}", "size": disk.size, "pool": disk.pool}
                for letter, disk in zip(_DISK_LETTERS, disks_of(spec, image), strict=False)
            ],
            nics=[
                {"network": nic.network, "mac": identifier.mac_address(entropy), "model": nic.model}
                for nic in spec.nics
            ],
            labels=dict(spec.labels),
            created_at=deed.at,
            desired="running",
            status="provisioning",
            status_reason="",
            host=host,
            epoch=0,
            updated_at=deed.at,
            correction_attempts=0,
            cpu_time_ns=0,
            addresses=[],
        )


def vm_id(number: int) -> str:
    """The id of the VM of that number."""
    return f"vm-{number}"


def image_of(session: Session, spec: VmSpec, row: ImageRow | None) -> ImageRow:
    """:raises InputError: when there is no such image, or the VM has too little memory for it."""
    if row is None:
        known = ", ".join(image.name for image in images.page(session, after=None, limit=50))
        allowed = f"one of {known}" if known else "none is registered yet: POST /v1/images"
        raise InputError([Problem("image", f"there is no image {spec.image}", allowed)])
    if spec.ram_mib < row.min_ram_mib:
        problem = Problem(
            "ram", f"{format_mib(spec.ram_mib)} are too few for image {row.name}", f"{row.min_ram_mib}M or more"
        )
        raise InputError([problem])
    return row


def disks_of(spec: VmSpec, image: ImageRow) -> tuple[DiskSpec, ...]:
    """The disks that a VM gets: those asked for, or one of the image's size where it boots from a disk. Pure.

    :raises InputError: when the first disk is too small for the image.
    """
    if image.kind != "disk":
        return spec.disks
    if not spec.disks:
        return (DiskSpec(image.min_disk),)
    if spec.disks[0].size < image.min_disk:
        problem = Problem(
            "disks.0.size", f"{spec.disks[0].size} bytes cannot hold image {image.name}", f"{image.min_disk} or more"
        )
        raise InputError([problem])
    return spec.disks


def disk_bytes_of(spec: VmSpec, image: ImageRow) -> int:
    """All disks together.

    :raises InputError: when the first disk is too small for the image.
    """
    return sum(disk.size for disk in disks_of(spec, image))


def _content(image: ImageRow) -> dict[str, Any]:
    return {
        "name": image.name,
        "kind": image.kind,
        "architecture": image.architecture,
        "cmdline": image.cmdline,
        "format": image.format,
        "min_ram_mib": image.min_ram_mib,
        "min_disk": image.min_disk,
        "files": image.files,
    }
