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
class NumaObservation:
    """A NUMA node by its number: hardware threads, MiB, and how many of those are set aside as huge pages."""

    id: int
    cpu: int
    ram_mib: int
    huge_pages_mib: int = 0


@dataclass(frozen=True)
class Measurements:
    """What is measured of a host beside its CPU use, smoothed by the observer; None where it cannot tell.

    :param memory: the share that is in use, 0 to 1.
    :param pressure: virtual CPUs that wait for a thread, for each thread, 1 at most.
    :param network_mbps: what its guests send or receive, whichever is more, in Mbit/s.
    :param io_latency_ms: what their disks take to answer a read or a write, in milliseconds.
    """

    memory: float | None = None
    pressure: float | None = None
    network_mbps: float | None = None
    io_latency_ms: float | None = None


@dataclass(frozen=True)
class HostObservation:
    """All of a host at one moment.

    :param cpu: hardware threads. ``disk_bytes`` is what the default pool holds in all.
    :param cpu_features: what guests' CPUs have there; empty when it cannot tell.
    :param networks: libvirt networks that are up; None when it was not asked.
    :param pools: what active storage pools hold in all, in bytes, by name; None when it was not asked.
    :param numa: its NUMA nodes; None when it cannot tell.
    :param machines: machine types that it offers guests of its own architecture; None when it cannot tell.
    :param images: names of the images that lie there; None when it cannot tell.
    :param load: CPU use, 0 to 1, smoothed by the observer; None when it cannot tell yet.
    :param measured: what else was measured at the same time.
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
    pools: Mapping[str, int] | None = None
    numa: tuple[NumaObservation, ...] | None = None
    machines: tuple[str, ...] | None = None
    images: tuple[str, ...] | None = None
    load: float | None = None
    measured: Measurements = Measurements()
    domains: tuple[DomainObservation, ...] = ()
