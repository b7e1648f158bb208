"""Creating VMs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from minicloud_core.model.errors import (
    BusyError,
    ConflictError,
    InputError,
    NotFoundError,
    Problem,
    SpecConflictError,
)
from minicloud_core.model.units import format_mib
from minicloud_core.model.vm import DiskSpec, VmSpec
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.request import Request

from minicloud.store import counter
from minicloud.store import image as images
from minicloud.store import operation as operations
from minicloud.store import placement as placements
from minicloud.store import project as projects
from minicloud.store import vm as vms
from minicloud.store.image import ImageRow
from minicloud.store.project import ProjectRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import audit, identifier, lease, quota, recall, reservation
from .authorisation import project_of, require_write
from .command import create_command
from .context import Actor, Context, Idempotency
from .queue import Draft, enqueue
from .state import Deed, begin_vm
from .view.operation import Claim, show_operation
from .view.vm import VmCreation, show_vm

_DISK_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def create(
    ctx: Context,
    actor: Actor,
    spec: VmSpec,
    *,
    project: str | None = None,
    dry_run: bool = False,
    claim: str | None = None,
    lease_seconds: float = 60,
    idempotency: Idempotency | None = None,
) -> VmCreation:
    """Place a VM, take its room, and queue the operation that makes it, all in one transaction.

    The same name with the same spec answers the VM that is there.

    :param project: for an actor of all projects; None for its own, or the default one.
    :param dry_run: decide and answer what would happen; write nothing.
    :param claim: the name of a terminal that will carry the operation out itself, for ``lease_seconds`` to begin with.
    :raises SpecConflictError: when a VM of that name has another spec; ``details["differences"]`` says where.
    :raises BusyError: when a VM of that name is being deleted.
    :raises InputError: when the image does not exist or the VM is too small for it.
    :raises QuotaError: when the project may not have it.
    :raises NoCapacityError: when no host can take it, with each host's reasons.
    """
    require_write(actor)
    with ctx.read() as session:
        name = _project(projects.find(session, project_of(actor, project)), project_of(actor, project)).name
        image = image_of(session, spec, images.find(session, spec.image))
        creation = _Creation(ctx, actor, spec, name, image, claim, lease_seconds, idempotency)
        if dry_run:
            return creation.rehearse(session)
        fleet = reservation.take_snapshot(session)
    return reservation.reserve(ctx, creation.request(), fleet, prepare=creation.prepare, commit=creation.commit)


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


@dataclass(frozen=True)
class _Creation:
    """One create under way."""

    ctx: Context
    actor: Actor
    spec: VmSpec
    project: str
    image: ImageRow
    claim: str | None
    lease_seconds: float
    idempotency: Idempotency | None

    @property
    def disks(self) -> tuple[DiskSpec, ...]:
        return disks_of(self.spec, self.image)

    @property
    def disk_bytes(self) -> int:
        return sum(disk.size for disk in self.disks)

    def request(self) -> Request:
        spec = self.spec
        return Request(spec.cpu, spec.ram_mib, self.disk_bytes, host=spec.host, labels=spec.labels)

    def rehearse(self, session: Session) -> VmCreation:
        """What would happen."""
        existing = vms.by_name(session, self.project, self.spec.name)
        if existing is not None:
            return self._existing(session, existing, claim=None)
        self._check_quota(session, _project(projects.find(session, self.project), self.project))
        decision = reservation.decide(self.ctx, reservation.take_snapshot(session), self.request())
        if decision.host is None:
            raise decision.no_capacity()
        row = self._row(Deed.of(self.ctx, session, self.actor), number=0, host=decision.host)
        view = replace(show_vm(row), id="", uuid="", nics=tuple(replace(nic, mac="") for nic in show_vm(row).nics))
        return VmCreation(view, None, decision.to_mapping(), created=True)

    def prepare(self, session: Session) -> VmCreation | None:
        """Lock what must not change, and answer if there is an answer already."""
        answer = recall.look_up(self.ctx, session, self.actor, self.idempotency)
        if answer is not None:
            return self._replayed(session, answer)
        project = _project(projects.lock(session, self.project), self.project)
        existing = vms.by_name(session, self.project, self.spec.name)
        if existing is not None:
            creation = self._existing(session, existing, self.claim)
            self._remember(session, creation)
            return creation
        self._check_quota(session, project)
        image = image_of(session, self.spec, images.share(session, self.spec.image))
        if image.files != self.image.files:
            raise ConflictError(f"Image {image.name} was replaced meanwhile", hint="try again")
        return None

    def commit(self, session: Session, decision: Decision) -> VmCreation:
        """Write the VM, its share of the host, its operation, and why it is there."""
        assert decision.host is not None
        deed = Deed.of(self.ctx, session, self.actor)
        vm = self._row(deed, number=counter.next_number(session, "vm"), host=decision.host)
        session.add(vm)
        command = create_command(self.spec, self.project, decision.host)
        operation = enqueue(deed, Draft("vm.create", decision.host, command, vm=vm))
        reservation.allocate(deed, vm, decision.host)
        reservation.keep(deed, vm, operation, decision)
        begin_vm(deed, vm)
        audit.note(self.ctx, session, self.actor, "vm.create", vm.id, project=self.project, name=vm.name, host=vm.host)
        claim = (
            None
            if self.claim is None
            else lease.take_by_hand(self.ctx, session, operation, self.claim, self.lease_seconds)
        )
        creation = VmCreation(show_vm(vm), show_operation(operation), decision.to_mapping(), created=True, claim=claim)
        self._remember(session, creation)
        return creation

    def _existing(self, session: Session, vm: VmRow, claim: str | None) -> VmCreation:
        if vm.desired == "absent":
            raise BusyError(
                f"VM {vm.name} ({vm.id}) is being deleted",
                hint="wait until it is gone",
                details={"vm": vm.id, "operation": vm.operation},
            )
        asked = replace(self.spec, host=None) if self.spec.host == vm.host else self.spec
        differences = VmSpec.from_stored(vm.spec).differences(asked)
        if differences:
            raise SpecConflictError(
                f"VM {vm.name} ({vm.id}) exists with another {', '.join(sorted(differences))}",
                hint="choose another name, or delete that VM first",
                details={"vm": vm.id, "differences": differences},
            )
        taken = None if claim is None else self._claim_existing(session, vm, claim)
        return self._answer(session, vm, vm.operation, created=False, claim=taken)

    def _claim_existing(self, session: Session, vm: VmRow, owner: str) -> Claim | None:
        """A terminal that asks again may carry out what nobody has begun."""
        vms.lock(session, vm.id)
        operation = None if vm.operation is None else operations.lock(session, vm.operation)
        if operation is None or operation.kind != "vm.create" or operation.state != "queued":
            return None
        try:
            return lease.take_by_hand(self.ctx, session, operation, owner, self.lease_seconds)
        except ConflictError:
            return None

    def _answer(
        self, session: Session, vm: VmRow, operation_id: str | None, *, created: bool, claim: Claim | None = None
    ) -> VmCreation:
        operation = None if operation_id is None else operations.find(session, operation_id)
        kept = placements.of_vm(session, vm.id)
        return VmCreation(
            show_vm(vm),
            None if operation is None else show_operation(operation),
            kept[0].decision if kept else None,
            created=created,
            claim=claim,
        )

    def _replayed(self, session: Session, answer: Mapping[str, Any]) -> VmCreation:
        vm = vms.find(session, answer["vm"])
        assert vm is not None
        return replace(self._answer(session, vm, answer["operation"], created=bool(answer["created"])), replayed=True)

    def _remember(self, session: Session, creation: VmCreation) -> None:
        operation = None if creation.operation is None else creation.operation.id
        answer = {"vm": creation.vm.id, "operation": operation, "created": creation.created}
        recall.remember(self.ctx, session, self.actor, self.idempotency, answer)

    def _check_quota(self, session: Session, project: ProjectRow) -> None:
        used = vms.usage(session, [project.name]).get(project.name, (0, 0, 0, 0))
        quota.check(project, used, (1, self.spec.cpu, self.spec.ram_mib, self.disk_bytes))

    def _row(self, deed: Deed, *, number: int, host: str) -> VmRow:
        spec, entropy = self.spec, self.ctx.entropy
        return VmRow(
            id=f"vm-{number}",
            number=number,
            uuid=identifier.domain_uuid(entropy),
            name=spec.name,
            project=self.project,
            spec=spec.to_mapping(),
            spec_hash=spec.hash(),
            cpu=spec.cpu,
            ram_mib=spec.ram_mib,
            disk_bytes=self.disk_bytes,
            image=spec.image,
            image_content=_content(self.image),
            disks=[
                {"name": f"vd{letter}", "size": disk.size, "pool": disk.pool}
                for letter, disk in zip(_DISK_LETTERS, self.disks, strict=False)
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


def _project(row: ProjectRow | None, name: str) -> ProjectRow:
    if row is None:
        raise NotFoundError(f"There is no project {name}", hint="an admin creates projects: POST /v1/projects")
    return row


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
