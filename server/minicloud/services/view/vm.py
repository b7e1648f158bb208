"""A VM, as services show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minicloud_core.scheduler.record import unpack

from minicloud.store.vm import VmRow

from .operation import Claim, OperationView


@dataclass(frozen=True)
class DiskView:
    """``name`` is the guest's device, ``size`` bytes."""

    name: str
    size: int
    pool: str


@dataclass(frozen=True)
class NicView:
    network: str
    mac: str
    model: str


@dataclass(frozen=True)
class VmView:
    """A VM. ``id`` is empty in the answer to a dry run, since none was given out.

    :param host_pin: the host that was asked for by name, wherever it is now; None for whichever.
    :param scheduling: what was asked of its place, as ``SchedulingSpec.to_mapping`` has it.
    :param preempted: for whom it had to make room, ``by priority operation request_id at``; None for one that has its
        room.
    :param operation: the id of the latest operation; None when there was none.
    :param observed_state: what the host last said: ``running stopped paused crashed absent``; None before it did.
    """

    id: str
    name: str
    project: str
    uuid: str
    status: str
    status_reason: str
    preempted: Mapping[str, Any] | None
    desired: str
    host: str | None
    host_pin: str | None
    cpu: int
    ram_mib: int
    disk_bytes: int
    image: str
    disks: tuple[DiskView, ...]
    nics: tuple[NicView, ...]
    labels: Mapping[str, str]
    scheduling: Mapping[str, Any]
    epoch: int
    spec_hash: str
    addresses: tuple[str, ...]
    operation: str | None
    observed_state: str | None
    observed_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class VmCreation:
    """The answer to a create.

    :param operation: the ``vm.create``; None on a dry run.
    :param record: the scheduler's decision as it is kept; ``placement`` is its mapping (``Decision.to_mapping``).
    :param created: False when the VM was there already, with the same spec.
    :param claim: when the caller claimed the operation.
    :param replayed: the Idempotency-Key was seen before; this is what it made then.
    """

    vm: VmView
    operation: OperationView | None
    record: Mapping[str, Any] | None
    created: bool
    claim: Claim | None = None
    replayed: bool = False

    @property
    def placement(self) -> Mapping[str, Any] | None:
        return None if self.record is None else unpack(self.record)


@dataclass(frozen=True)
class VmChange:
    """The answer to a verb. ``operation`` is None when the VM was so already, and on a dry run.

    :param changed: whether anything is (on a dry run: would be) done.
    :param placement: for a migration that the scheduler placed.
    """

    vm: VmView
    operation: OperationView | None
    changed: bool
    placement: Mapping[str, Any] | None = None
    claim: Claim | None = None
    replayed: bool = False


def show_vm(row: VmRow) -> VmView:
    return VmView(
        id=row.id,
        name=row.name,
        project=row.project,
        uuid=row.uuid,
        status=row.status,
        status_reason=row.status_reason,
        preempted=row.preempted,
        desired=row.desired,
        host=row.host,
        host_pin=row.spec.get("host"),
        cpu=row.cpu,
        ram_mib=row.ram_mib,
        disk_bytes=row.disk_bytes,
        image=row.image,
        disks=tuple(DiskView(**disk) for disk in row.disks),
        nics=tuple(NicView(**nic) for nic in row.nics),
        labels=row.labels,
        scheduling=row.spec.get("scheduling", {}),
        epoch=row.epoch,
        spec_hash=row.spec_hash,
        addresses=tuple(row.addresses),
        operation=row.operation,
        observed_state=row.observed_state,
        observed_at=row.observed_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
