"""What an observer saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minicloud_core.model.metadata import DomainMetadata


@dataclass(frozen=True)
class DomainObservation:
    """A domain on a host.

    :param state: ``running stopped paused crashed`` or another word of libvirt's; the first three are understood.
    :param metadata: ours, or None on a domain that is not.
    :param cpu_time_ns: nanoseconds of CPU since its start.
    :param addresses: IP addresses known for its cards.
    """

    uuid: str
    name: str
    state: str
    metadata: DomainMetadata | None = None
    cpu: int = 0
    ram_mib: int = 0
    cpu_time_ns: int = 0
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostObservation:
    """All of a host at one moment.

    :param cpu: hardware threads. ``disk_bytes`` is what the default pool holds in all.
    :param cpu_features: what guests' CPUs have there; empty when it cannot tell.
    :param networks: libvirt networks that are up; None when it was not asked.
    :param load: CPU use, 0 to 1, smoothed by the observer; None when it cannot tell yet.
    :param domains: every domain, ours or not; those missing are not there.
    """

    host: str
    at: datetime
    cpu: int
    ram_mib: int
    disk_bytes: int
    architecture: str = "x86_64"
    accelerator: str = "tcg"
    versions: Mapping[str, Any] = field(default_factory=dict)
    cpu_features: tuple[str, ...] = ()
    networks: tuple[str, ...] | None = None
    load: float | None = None
    domains: tuple[DomainObservation, ...] = ()
