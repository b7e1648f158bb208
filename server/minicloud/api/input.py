"""What request bodies look like. A VM's fields are read by ``model.vm``; its shape here is for the documentation."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from minicloud_core.model.batch import BATCH_MAX
from minicloud_core.model.machine import MACHINE_PATTERN
from minicloud_core.model.reservation import ITEMS_MAX, TTL_MAX
from minicloud_core.model.scheduling import (
    AT_MOST_MAX,
    BANDWIDTH_MAX_MBPS,
    FEATURE_PATTERN,
    FEATURES_MAX,
    KEY_PATTERN,
    NUMA_MAX,
    PRIORITY_CLASS_PATTERN,
    PRIORITY_MAX,
    PRIORITY_MIN,
    SPREADS_MAX,
    TERMS_MAX,
)
from minicloud_core.model.term import GROUP_PATTERN, TERM_PATTERN
from minicloud_core.model.vm import CPU_MAX, DISKS_MAX, NICS_MAX, USER_DATA_MAX
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

# The widest whole number that every database takes.
INT_MAX: Final = 2**31 - 1
BIG_MAX: Final = 2**53

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", examples=["web01"])]
Size = Annotated[
    Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?[KMGTP]?$")],
    Field(examples=["4G"]),
]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Text = Annotated[str, Field(max_length=4096)]
Labels = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$")],
        Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{0,63}$")],
    ],
    Field(max_length=64),
]
ReservationId = Annotated[str, Field(pattern=r"^rsv-[0-9a-v]{20}$", description="A reservation that is held.")]
Owner = Annotated[str, Field(min_length=1, max_length=128, description="Claim the operation for this owner.")]


class Shape(BaseModel):
    """Base of all bodies: unknown fields are refused, and a text is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class EmptyBody(Shape):
    """Nothing to say."""


class DiskBody(Shape):
    size: Size
    pool: Word = "default"


class NicBody(Shape):
    network: Word = "default"
    model: Literal["virtio", "e1000", "e1000e", "rtl8139"] = "virtio"


class CloudInitBody(Shape):
    """``user_data`` and ``ssh_keys`` exclude each other."""

    user_data: Annotated[str, Field(max_length=USER_DATA_MAX)] = ""
    ssh_keys: Annotated[list[Annotated[str, Field(max_length=USER_DATA_MAX)]], Field(max_length=64)] = []
    network_config: Annotated[str, Field(max_length=USER_DATA_MAX)] = ""


Key = Annotated[str, Field(pattern=KEY_PATTERN)]
Term = Annotated[str, Field(pattern=TERM_PATTERN, examples=["vm:web01", "group:db", "tier=web@rack"])]
Terms = Annotated[list[Term], Field(max_length=TERMS_MAX, json_schema_extra={"uniqueItems": True})]


class SpreadBody(Shape):
    """At most so many VMs of a kind on hosts with one value of the label ``by``; ``host`` stands for the host itself.

    Counted are the VMs of the same group or, with ``label``, those that carry the same value of that label.
    """

    by: Key
    at_most: Annotated[int, Field(ge=1, le=AT_MOST_MAX)] = 1
    label: Key | None = None


class SchedulingBody(Shape):
    """What is asked of a VM's place.

    ``host_labels`` are those that its host must have. ``affinity`` and ``anti_affinity`` are kept, ``prefer_with`` and
    ``prefer_apart`` are wishes; each names VMs, groups or labels of VMs in the VM's project. VMs of a lower
    ``priority``, a number or a class that the service's policy names, may have to make room. A ``pinned`` VM has its
    threads for itself, and no planner moves it. ``machine`` is the type that it is given; one without a version is any
    of its family. A VM with ``numa`` lies on so many NUMA nodes of its host, an equal part on each, and sees them as
    its own. ``huge_pages`` of 2 MiB are those that its host has set aside.
    """

    host_labels: Labels | None = None
    group: Annotated[str, Field(pattern=GROUP_PATTERN)] | None = None
    affinity: Terms | None = None
    anti_affinity: Terms | None = None
    prefer_with: Terms | None = None
    prefer_apart: Terms | None = None
    spread: Annotated[list[Key | SpreadBody], Field(max_length=SPREADS_MAX)] | None = None
    priority: (
        Annotated[int, Field(ge=PRIORITY_MIN, le=PRIORITY_MAX)]
        | Annotated[str, Field(pattern=PRIORITY_CLASS_PATTERN, examples=["critical"])]
        | None
    ) = None
    pinned: bool | None = None
    cpu_features: (
        Annotated[
            list[Annotated[str, Field(pattern=FEATURE_PATTERN)]],
            Field(max_length=FEATURES_MAX, json_schema_extra={"uniqueItems": True}),
        ]
        | None
    ) = None
    bandwidth_mbps: Annotated[int, Field(ge=0, le=BANDWIDTH_MAX_MBPS)] | None = None
    machine: Annotated[str, Field(pattern=MACHINE_PATTERN, examples=["q35"])] | None = None
    numa: Annotated[int, Field(ge=0, le=NUMA_MAX)] | None = None
    huge_pages: bool | None = None


class NeedsBody(Shape):
    """What a VM needs of a host. A bare ``ram`` counts MiB, a bare disk size GiB."""

    cpu: Annotated[int, Field(ge=1, le=CPU_MAX)] | None = None
    ram: Size | None = None
    image: Name | None = None
    disks: Annotated[list[Size | DiskBody], Field(max_length=DISKS_MAX)] | None = None
    nics: Annotated[list[Word | NicBody], Field(max_length=NICS_MAX)] | None = None
    labels: Labels | None = None
    host: Name | None = None
    scheduling: SchedulingBody | None = None


class VmBody(NeedsBody):
    """A VM to be. A bare ``ram`` counts MiB, a bare disk size GiB."""

    name: Name
    cloud_init: CloudInitBody | None = None


class GroupBody(Shape):
    """VMs of the batch, by name, that are made all or none, in the order in which they are placed.

    Each of them is given the group and its ``spread`` in its ``scheduling``.
    """

    name: Annotated[str, Field(pattern=GROUP_PATTERN)]
    vms: Annotated[list[Name], Field(min_length=1, max_length=BATCH_MAX, json_schema_extra={"uniqueItems": True})]
    spread: Annotated[list[Key | SpreadBody], Field(max_length=SPREADS_MAX)] | None = None


class BatchBody(Shape):
    """VMs to be made at once. With ``all``, nothing is made unless all of them may be."""

    vms: Annotated[list[VmBody], Field(min_length=1, max_length=BATCH_MAX)]
    groups: Annotated[list[GroupBody], Field(max_length=BATCH_MAX)] | None = None
    all: bool = False


class VmCreateBody(VmBody):
    """The VM goes where ``reservation`` holds room for it, if it names one, and has that room."""

    claim: Owner | None = None
    reservation: ReservationId | None = None


class ReservedBody(NeedsBody):
    """A VM that is to have room, for ``ttl`` seconds (300). ``name`` is for people, and held once in a project."""

    name: Name | None = None
    ttl: Annotated[int, Field(ge=1, le=TTL_MAX)] | None = None


class ReservationBody(ReservedBody):
    """One reservation; or with ``items``, and nothing beside it, several, of which all are held or none."""

    items: Annotated[list[ReservedBody], Field(min_length=1, max_length=ITEMS_MAX)] | None = None


class ChangeBody(Shape):
    """A verb that needs nothing but the VM."""

    claim: Owner | None = None


class StopBody(ChangeBody):
    """``graceful`` is how many seconds the guest gets before the plug is pulled; ``force`` gives it none."""

    force: bool = False
    graceful: Annotated[float, Field(ge=0, le=3600)] | None = None


class MigrateBody(ChangeBody):
    """Without ``host`` the scheduler picks one. ``bandwidth_mib`` in MiB/s, 0 for no limit; ``timeout`` in seconds."""

    host: Name | None = None
    live: bool | None = None
    bandwidth_mib: Annotated[int, Field(ge=0, le=INT_MAX)] | None = None
    timeout: Annotated[float, Field(gt=0, le=86400)] | None = None


class FenceBody(Shape):
    """The fence agent that cuts the host's power, and what it is told. The options are never shown again.

    Left out, what is known stays; an empty object takes the agent away.
    """

    agent: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]{0,255}$")] = ""
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check_agent(self) -> Self:
        if self.options and not self.agent:
            raise ValueError("options need an agent that takes them")
        return self


class PowerBody(Shape):
    """What a host draws, in watts: idle, and at full load.

    Left out, what is known stays; an empty object takes it away.
    """

    idle_w: Annotated[float, Field(ge=0, le=1_000_000, strict=False)] | None = None
    max_w: Annotated[float, Field(ge=0, le=1_000_000, strict=False)] | None = None


class HostBody(Shape):
    """A host to know. Registering again changes what is known.

    ``dedicated`` names the projects whose VMs alone it takes; none at all opens it to every project. ``bandwidth_mbps``
    is its network's, for VMs that ask for some; 0 where it is not known.
    """

    name: Name
    address: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9.:_-]+$")]
    ssh_user: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9._-]{0,31}$")] = "root"
    ssh_port: Annotated[int, Field(ge=1, le=65535)] = 22
    ssh_key_file: Text | None = None
    libvirt_uri: Text = ""
    migrate_address: Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9.:_-]*$")] = ""
    labels: Labels | None = None
    fence: FenceBody | None = None
    cpu_overcommit: Annotated[float, Field(gt=0, le=64)] | None = None
    ram_reserved_mib: Annotated[int, Field(ge=0, le=INT_MAX)] | None = None
    dedicated: Annotated[list[Name], Field(max_length=256)] | None = None
    power: PowerBody | None = None
    bandwidth_mbps: Annotated[int, Field(ge=0, le=BANDWIDTH_MAX_MBPS)] | None = None


class ReasonBody(Shape):
    """Why; kept in the audit."""

    reason: Annotated[str, Field(max_length=500)] = ""


class LeaseBody(Shape):
    """Renews a claim."""

    epoch: Annotated[int, Field(ge=0, le=INT_MAX)]
    seconds: Annotated[float, Field(gt=0, le=3600)] = 60


class ResultBody(Shape):
    """How a claimed operation ended. ``result`` is the module's item for it, whose ``error`` says why it failed."""

    epoch: Annotated[int, Field(ge=0, le=INT_MAX)]
    outcome: Literal["succeeded", "failed"]
    result: dict[str, Any] = {}


class ImageFileBody(Shape):
    """A file on the service's machine."""

    role: Literal["kernel", "initrd", "disk"]
    path: Annotated[str, Field(min_length=1, max_length=4096)]
    name: Annotated[str, Field(max_length=128)] = ""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""


class ImageBody(Shape):
    """An image to register. ``min_disk`` in bytes."""

    name: Name
    kind: Literal["kernel", "disk"]
    files: Annotated[list[ImageFileBody], Field(min_length=1, max_length=2)]
    architecture: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")] = "x86_64"
    cmdline: Annotated[str, Field(max_length=2048)] = ""
    format: Literal["qcow2", "raw"] = "qcow2"
    min_ram_mib: Annotated[int, Field(ge=0, le=INT_MAX)] = 0
    min_disk: Annotated[int, Field(ge=0, le=BIG_MAX)] = 0


class CertificateBody(Shape):
    """``csr`` is PEM."""

    host: Name
    csr: Annotated[str, Field(min_length=1, max_length=16384)]


class QuotaBody(Shape):
    """Null for no limit. ``disk_bytes`` in bytes. VMs of a priority above ``priority_max`` are refused."""

    vms: Annotated[int, Field(ge=0, le=INT_MAX)] | None = None
    cpu: Annotated[int, Field(ge=0, le=INT_MAX)] | None = None
    ram_mib: Annotated[int, Field(ge=0, le=INT_MAX)] | None = None
    disk_bytes: Annotated[int, Field(ge=0, le=BIG_MAX)] | None = None
    priority_max: Annotated[int, Field(ge=PRIORITY_MIN, le=PRIORITY_MAX)] | None = None


class ProjectBody(Shape):
    name: Name
    quota: QuotaBody = QuotaBody()


class TokenBody(Shape):
    """``project`` confines a member or viewer; an administrator needs none. ``expires_at`` in RFC 3339."""

    name: Name
    role: Literal["admin", "member", "viewer"]
    project: Name | None = None
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
