"""What goes over the wire, field by field. Views of the services change as they like; these only ever grow."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import AliasPath, BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """Base of all answers: read off a view's attributes, written as JSON."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


Item = TypeVar("Item")


class Page(Shape, Generic[Item]):
    """Part of a list. ``next`` is the ``cursor`` of the page that follows; null on the last one."""

    items: list[Item]
    next: str | None


def _is_none(value: object) -> bool:
    return value is None


def absent() -> Any:
    """A field that is left out of the answer where it has nothing to say."""
    return Field(None, exclude_if=_is_none)


class Disk(Shape):
    """``name`` is the guest's device, ``size`` bytes."""

    name: str
    size: int
    pool: str


class Nic(Shape):
    """A network card with the MAC that it keeps for life."""

    network: str
    mac: str
    model: str


class Preemption(Shape):
    """For whom a VM was stopped: the VM that took its room, by its id and priority, with the create that asked for it.

    The VM has no room until it is started, by somebody or by itself as soon as it fits again on its host.
    """

    by: str
    priority: int
    operation: str
    request_id: str
    at: datetime


class Vm(Shape):
    """A VM. ``ram`` in MiB; ``operation`` is its latest one; ``observed_state`` is what its host last said.

    ``scheduling`` is what was asked of its place, empty where nothing was, and ``host_pin`` the host that was asked for
    by name. ``preempted`` is null but for a VM that had to make room.
    """

    id: str
    name: str
    status: str
    host: str | None
    host_pin: str | None
    desired: str
    cpu: int
    ram: int = Field(validation_alias="ram_mib")
    image: str
    disks: list[Disk]
    nics: list[Nic]
    labels: dict[str, str]
    scheduling: dict[str, Any]
    project: str
    uuid: str
    epoch: int
    addresses: list[str]
    operation: str | None
    created_at: datetime
    updated_at: datetime
    status_reason: str
    preempted: Preemption | None
    observed_state: str | None
    observed_at: datetime | None
    spec_hash: str


class Lease(Shape):
    """Until when a claim holds. Every report on the operation carries the epoch."""

    epoch: int
    until: datetime


class Connection(Shape):
    """How a playbook reaches the host."""

    name: str
    address: str
    user: str
    port: int
    key_file: str | None
    libvirt_uri: str
    local: bool


class VmAnswer(Vm):
    """A VM after a change.

    ``changed`` says whether this request did (on a dry run: would do) anything; ``operation`` is what carries it out,
    null where nothing is to be done. ``placement`` explains the choice of host. ``order``, ``connection`` and
    ``lease`` are there only for a caller who claimed the operation, ``destination`` and ``image_order`` (the VM's image
    as orders carry it) only for a migration. ``id`` is empty on the dry run of a create.
    """

    changed: bool
    placement: dict[str, Any] | None = absent()
    order: dict[str, Any] | None = absent()
    connection: Connection | None = absent()
    destination: Connection | None = absent()
    image_order: dict[str, Any] | None = absent()
    lease: Lease | None = absent()


class Placement(Shape):
    """Why a VM is where it is: for each host its score with its parts, or the rule that refused it.

    ``policy_version`` tells the policy that decided from others of its name; null for decisions older than versions.
    """

    vm: str
    operation: str
    host: str | None
    at: datetime
    policy_version: str | None
    decision: dict[str, Any]


class PlacementRecord(Shape):
    """A decision of the scheduler, with what had been asked for; `GET /v1/placements/{placement}` says all of it.

    Where no host would do, ``host``, ``vm`` and ``operation`` are null. ``name`` and ``project`` are the VM's, or would
    have been, and ``actor`` is who asked for it on the request ``request_id``. ``ended_at`` is when the VM was deleted,
    null while it is not. ``preempts`` are the VMs that had to make room for it, each with its priority.
    """

    id: int
    vm: str | None
    name: str
    project: str
    operation: str | None
    host: str | None
    at: datetime
    ended_at: datetime | None
    policy: str
    policy_version: str | None
    request: dict[str, Any]
    preempts: list[dict[str, Any]]
    actor: str
    request_id: str


class PlacementDetail(PlacementRecord):
    """The same with each host's score, or with what refused it."""

    decision: dict[str, Any]


class Decision(Shape):
    """Where a VM would go, and why. ``host`` is null where no host would take it."""

    host: str | None
    decision: dict[str, Any]


class ReservedDisk(Shape):
    """``size`` in bytes."""

    size: int
    pool: str


class ReservedNic(Shape):
    """A network card to be."""

    network: str
    model: str


class Reservation(Shape):
    """Room on a host that is held for a VM. ``ram`` in MiB, ``disk_bytes`` all disks together.

    ``state`` is `held` until ``expires_at`` and `expired` from then on, unless a VM has `used` it or it was `released`
    before. ``vm`` is the id of the VM that has the room, ``ended_at`` null while it is held. ``id`` is empty on a dry
    run.
    """

    id: str
    name: str | None
    state: str
    host: str
    expires_at: datetime
    cpu: int
    ram: int = Field(validation_alias="ram_mib")
    disk_bytes: int
    image: str
    disks: list[ReservedDisk]
    nics: list[ReservedNic]
    labels: dict[str, str]
    scheduling: dict[str, Any]
    project: str
    vm: str | None
    actor: str
    created_at: datetime
    ended_at: datetime | None


class ReservationDetail(Reservation):
    """A reservation with why it is where it is: of few hosts everything, of the others how many there were."""

    decision: dict[str, Any]


class ReservationAnswer(ReservationDetail):
    """A reservation after a change; ``changed`` says whether this request did (on a dry run: would do) anything."""

    changed: bool


class ReservationAnswers(Shape):
    """The reservations that were asked for together, in the order in which they were."""

    items: list[ReservationAnswer]


class Amounts(Shape):
    """CPUs, MiB and bytes."""

    cpu: int
    ram_mib: int
    disk_bytes: int


class Host(Shape):
    """A host. A caller who is no administrator sees ``name``, ``state`` and ``cordoned``."""

    name: str
    state: str
    cordoned: bool


class NumaNode(Shape):
    """A NUMA node of a host by its number; ``cpu`` counts threads, ``huge_pages_mib`` is a part of ``ram_mib``."""

    id: int
    cpu: int
    ram_mib: int
    huge_pages_mib: int


class Measurements(Shape):
    """What is measured of a host beside its CPU use; null where it cannot tell.

    ``memory`` is the share in use, 0 to 1; ``pressure`` how many virtual CPUs wait for a thread, for each thread, 1 at
    most; ``network_mbps`` what guests send or receive, whichever is more; ``io_latency_ms`` what their disks take to
    answer.
    """

    memory: float | None = None
    pressure: float | None = None
    network_mbps: float | None = None
    io_latency_ms: float | None = None


class HostDetail(Host):
    """A host as administrators see it.

    ``cpu``, ``ram_mib`` and ``disk_bytes`` are what the machine has; ``load`` is its CPU use, 0 to 1. ``dedicated``
    names the projects whose VMs alone it takes; empty for all. ``power`` has ``idle_w`` and ``max_w``, in watts.
    ``cpu_features`` are those of guests' CPUs there, ``networks`` libvirt's that are up. ``pools`` are what storage
    pools hold in all, in bytes, ``machines`` machine types, ``images`` those that lie there; null where nobody could
    see them. ``seats`` are the NUMA nodes on which VMs lie that asked for some, by a VM's id. ``failures`` are the
    moments of the last two days at which it went silent.
    """

    address: str
    state_reason: str
    cpu: int = Field(validation_alias=AliasPath("capacity", "cpu"))
    ram_mib: int = Field(validation_alias=AliasPath("capacity", "ram_mib"))
    disk_bytes: int = Field(validation_alias=AliasPath("capacity", "disk_bytes"))
    allocated: Amounts
    vms: int
    labels: dict[str, str]
    architecture: str
    accelerator: str
    load: float | None
    load_at: datetime | None
    ssh_user: str
    ssh_port: int
    ssh_key_file: str | None
    libvirt_uri: str
    migrate_address: str
    versions: dict[str, Any]
    cpu_overcommit: float | None
    ram_reserved_mib: int | None
    dedicated: list[str]
    power: dict[str, float] | None
    bandwidth_mbps: int | None
    cpu_features: list[str]
    networks: list[str] | None
    pools: dict[str, int] | None
    numa: list[NumaNode] | None
    seats: dict[str, list[int]]
    machines: list[str] | None
    images: list[str] | None
    measured: Measurements
    failures: list[datetime]
    fence_agent: str | None
    generation: int
    observed_at: datetime | None
    silent_since: datetime | None
    created_at: datetime
    updated_at: datetime


AnyHost = HostDetail | Host


class HostPage(Page[AnyHost]):
    """A page of hosts."""


class HostAnswer(HostDetail):
    """A host after a change; ``operation`` only where one was queued."""

    changed: bool
    operation: str | None


class Domain(Shape):
    """A libvirt domain on a host; ``managed`` tells ours from others', which are never touched."""

    host: str
    uuid: str
    name: str
    state: str
    managed: bool
    vm: str | None
    project: str | None
    epoch: int | None
    cpu: int
    ram_mib: int
    cpu_time_ns: int
    seen_at: datetime


class Operation(Shape):
    """An operation. ``command`` is the line that repeats it by hand; ``reasons`` is its chain, oldest first.

    ``after`` names operations that had to end before it could be queued; until then it is ``waiting``.
    """

    id: str
    kind: str
    state: str
    vm: str | None
    host: str | None
    destination: str | None
    after: list[str]
    project: str | None
    epoch: int | None
    arguments: dict[str, Any]
    reasons: list[dict[str, Any]]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    command: str
    tries: int
    not_before: datetime
    lease_owner: str | None
    lease_until: datetime | None
    cancel_requested: bool
    run: str | None
    actor: str
    request_id: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None = Field(validation_alias="ended_at")


class OperationEvent(Shape):
    """One entry of an operation's log."""

    number: int
    operation: str
    at: datetime
    kind: str
    data: dict[str, Any]


class ImageFile(Shape):
    """``size`` in bytes."""

    role: str
    name: str
    sha256: str
    size: int


class Image(Shape):
    """An image. ``min_disk`` in bytes."""

    name: str
    kind: str
    architecture: str
    cmdline: str
    format: str
    min_ram_mib: int
    min_disk: int
    files: list[ImageFile]
    created_at: datetime


class Quota(Shape):
    """The most that a project may have; null for no limit. No VM of its may ask for more than ``priority_max``."""

    vms: int | None
    cpu: int | None
    ram_mib: int | None
    disk_bytes: int | None
    priority_max: int | None


class Usage(Shape):
    """What a project has."""

    vms: int
    cpu: int
    ram_mib: int
    disk_bytes: int


class Project(Shape):
    """A project: whose VMs are whose."""

    name: str
    quota: Quota
    usage: Usage
    created_at: datetime
    updated_at: datetime


class Token(Shape):
    """A token without its secret."""

    id: str
    name: str
    role: str
    project: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenCreation(Token):
    """A new token. ``token`` is the secret, shown this once; empty when an Idempotency-Key is replayed."""

    token: str


class AuditEntry(Shape):
    """Somebody did something."""

    id: int
    at: datetime
    actor: str
    token: str
    action: str
    resource: str
    project: str | None
    request_id: str
    details: dict[str, Any]


class Event(Shape):
    """Something that changed."""

    id: int
    at: datetime
    kind: str
    vm: str | None
    operation: str | None
    host: str | None
    project: str | None
    actor: str
    request_id: str
    reason: str
    data: dict[str, Any]


class Authority(Shape):
    """The authority's certificate, PEM."""

    ca: str


class Certificate(Authority):
    """A signed certificate and the authority's own, both PEM."""

    certificate: str


class FieldProblem(Shape):
    """One field that is wrong: what is, and what would be right."""

    field: str
    message: str
    allowed: str | None = absent()


class Problem(Shape):
    """An error (RFC 9457). ``code`` is stable; ``details`` are figures for programs."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    hint: str | None = absent()
    errors: list[FieldProblem] | None = absent()
    details: dict[str, Any] | None = absent()


class BatchItem(Shape):
    """One VM of a batch: the VM, new or there already, or the problem that keeps it from being made."""

    name: str
    vm: VmAnswer | None = absent()
    problem: Problem | None = absent()


class BatchAnswer(Shape):
    """What came of a batch, VM by VM in the order given. ``created`` and ``refused`` count."""

    items: list[BatchItem]
    created: int
    refused: int


class Health(Shape):
    """``checks`` has a sentence for each part that is not well; empty where all are."""

    status: str
    checks: dict[str, str]


class Inventory(Shape):
    """Rows of the versioned views; columns only ever grow."""

    hosts: list[dict[str, Any]]
    vms: list[dict[str, Any]]
