"""Hosts and the domains on them, as services show them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from minicloud.store.domain import DomainRow
from minicloud.store.host import HostRow


@dataclass(frozen=True)
class Amounts:
    """CPUs (threads or virtual), MiB and bytes that belong together."""

    cpu: int
    ram_mib: int
    disk_bytes: int


@dataclass(frozen=True)
class HostSpec:
    """What registration says of a host.

    :param libvirt_uri: where the observer connects; empty means ``qemu+tls://<address>/system``.
    :param migrate_address: where other hosts send migrations; empty means ``address``.
    :param labels: None keeps those that are known.
    :param fence: ``{"agent": "fence_ipmilan", "options": {…}}``; None keeps what is known, an empty mapping removes it.
    :param cpu_overcommit: virtual CPUs for each thread; None for the policy's.
    :param dedicated: the projects whose VMs alone it takes; None keeps what is known, none opens it to every project.
    :param power: ``{"idle_w": 90, "max_w": 300}``; None keeps what is known, an empty mapping removes it.
    :param bandwidth_mbps: of its network, for VMs; None keeps what is known, 0 removes it.
    """

    name: str
    address: str
    ssh_user: str = "root"
    ssh_port: int = 22
    ssh_key_file: str | None = None
    libvirt_uri: str = ""
    migrate_address: str = ""
    labels: Mapping[str, str] | None = None
    fence: Mapping[str, Any] | None = None
    cpu_overcommit: float | None = None
    ram_reserved_mib: int | None = None
    dedicated: Collection[str] | None = None
    power: Mapping[str, float] | None = None
    bandwidth_mbps: int | None = None


@dataclass(frozen=True)
class HostView:
    """A host.

    :param capacity: what the machine has; zeros before it was observed.
    :param allocated: what is promised to VMs there.
    :param load: measured CPU use, 0 to 1, smoothed; None before it was measured.
    :param cpu_features: what guests' CPUs have there; empty when it cannot tell.
    :param networks: libvirt networks that are up; None before it was observed.
    :param pools: what its storage pools hold in all, in bytes, by name; None before it was observed.
    :param numa: its NUMA nodes, each ``{"id", "cpu", "ram_mib", "huge_pages_mib"}``; None where it cannot tell.
    :param seats: by a VM's id the NUMA nodes on which it lies there, for those that asked for some.
    :param machines: machine types that it offers; ``images``: those that lie there. None where it cannot tell.
    :param measured: what is known of ``memory``, ``pressure``, ``network_mbps`` and ``io_latency_ms``, as
        ``Measurements`` has them; measured with the load.
    :param failures: when it went silent lately, the oldest first.
    :param fence_agent: the agent's name; None when there is none. Its options are never shown.
    """

    name: str
    address: str
    ssh_user: str
    ssh_port: int
    ssh_key_file: str | None
    libvirt_uri: str
    migrate_address: str
    state: str
    state_reason: str
    cordoned: bool
    labels: Mapping[str, str]
    capacity: Amounts
    allocated: Amounts
    vms: int
    architecture: str
    accelerator: str
    versions: Mapping[str, Any]
    load: float | None
    load_at: datetime | None
    cpu_overcommit: float | None
    ram_reserved_mib: int | None
    dedicated: tuple[str, ...]
    power: Mapping[str, float] | None
    bandwidth_mbps: int | None
    cpu_features: tuple[str, ...]
    networks: tuple[str, ...] | None
    pools: Mapping[str, int] | None
    numa: tuple[Mapping[str, int], ...] | None
    seats: Mapping[str, tuple[int, ...]]
    machines: tuple[str, ...] | None
    images: tuple[str, ...] | None
    measured: Mapping[str, float]
    failures: tuple[datetime, ...]
    fence_agent: str | None
    generation: int
    observed_at: datetime | None
    silent_since: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class HostSummary:
    """What a member may know of a host."""

    name: str
    state: str
    cordoned: bool


@dataclass(frozen=True)
class DomainView:
    """A domain that the observer saw on a host. ``managed`` tells ours from others'; ``vm`` is its VM's id if ours."""

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


@dataclass(frozen=True)
class HostChange:
    """The answer to a change of a host.

    :param created: whether it was not known before.
    :param operation: the id of a ``host.fence``; None for other changes.
    """

    host: HostView
    changed: bool
    created: bool = False
    operation: str | None = None
    replayed: bool = False


def show_host(
    row: HostRow, allocated: tuple[int, int, int, int] | None, seats: Mapping[str, Sequence[int]] | None = None
) -> HostView:
    """A host with what is promised there.

    :param allocated: number of VMs, virtual CPUs, MiB and bytes; None for none.
    :param seats: by VM the NUMA nodes on which it lies, by their place among the host's; None for none.
    """
    vms, cpu, ram_mib, disk_bytes = allocated or (0, 0, 0, 0)
    return HostView(
        name=row.name,
        address=row.address,
        ssh_user=row.ssh_user,
        ssh_port=row.ssh_port,
        ssh_key_file=row.ssh_key_file,
        libvirt_uri=row.libvirt_uri,
        migrate_address=row.migrate_address,
        state=row.state,
        state_reason=row.state_reason,
        cordoned=row.cordoned,
        labels=row.labels,
        capacity=Amounts(row.cpu, row.ram_mib, row.disk_bytes),
        allocated=Amounts(cpu, ram_mib, disk_bytes),
        vms=vms,
        architecture=row.architecture,
        accelerator=row.accelerator,
        versions=row.versions,
        load=row.load,
        load_at=row.load_at,
        cpu_overcommit=row.cpu_overcommit,
        ram_reserved_mib=row.ram_reserved_mib,
        dedicated=tuple(row.dedicated or ()),
        power=row.power,
        bandwidth_mbps=row.bandwidth_mbps,
        cpu_features=tuple(row.cpu_features or ()),
        networks=None if row.networks is None else tuple(row.networks),
        pools=row.pools,
        numa=None if row.numa is None else tuple(row.numa),
        seats={vm: numbers_of(row, places) for vm, places in (seats or {}).items()},
        machines=None if row.machines is None else tuple(row.machines),
        images=None if row.images is None else tuple(row.images),
        measured=row.measured or {},
        failures=tuple(datetime.fromtimestamp(moment, UTC) for moment in row.failures or ()),
        fence_agent=None if row.fence is None else str(row.fence["agent"]),
        generation=row.generation,
        observed_at=row.observed_at,
        silent_since=row.silent_since,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def numbers_of(row: HostRow, places: Sequence[int]) -> tuple[int, ...]:
    """The numbers of a host's NUMA nodes, by their places among them; none where it has others by now."""
    known = row.numa or []
    return tuple(known[place]["id"] for place in places) if places and max(places) < len(known) else ()


def show_domain(row: DomainRow) -> DomainView:
    return DomainView(
        host=row.host,
        uuid=row.uuid,
        name=row.name,
        state=row.state,
        managed=row.managed,
        vm=row.vm,
        project=row.project,
        epoch=row.epoch,
        cpu=row.cpu,
        ram_mib=row.ram_mib,
        cpu_time_ns=row.cpu_time_ns,
        seen_at=row.seen_at,
    )
