"""Hosts and the domains on them, as services show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


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
    :param fence: ``{"agent": "fence_ipmilan", "options": {…}}``; None for a host whose power nobody can cut.
    :param cpu_overcommit: virtual CPUs for each thread; None for the policy's.
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


@dataclass(frozen=True)
class HostView:
    """A host.

    :param capacity: what the machine has; zeros before it was observed.
    :param allocated: what is promised to VMs there.
    :param load: measured CPU use, 0 to 1, smoothed; None before it was measured.
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
    """The answer to a change of a host. ``operation`` only where one was queued (fence)."""

    host: HostView
    changed: bool
    operation: str | None = None
    replayed: bool = False
