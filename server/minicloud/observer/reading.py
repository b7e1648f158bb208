"""One reading of a host over its libvirt connection."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import libvirt
from minicloud_core.model.vm import DEFAULT_POOL

from minicloud.services.view.observation import DomainObservation, HostObservation, NumaObservation

from .capabilities import read_machines, read_numa
from .demand import Counters, Demand, memory_in_use, read_counters
from .domain import DomainFacts, observe_domain, read_facts
from .pool import read_images, read_pools
from .processor import read_cpu_features
from .smoothing import CpuTimes, Load

_STATISTICS = (
    libvirt.VIR_DOMAIN_STATS_STATE
    | libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_BALLOON
)
_COUNTERS = libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_INTERFACE | libvirt.VIR_DOMAIN_STATS_BLOCK
# A domain whose monitor is busy, or hangs, tells less instead of holding everybody up.
_NOWAIT = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
# Of a guest that is off libvirt would look at its disks' files instead, wherever they are.
_RUNNING = _NOWAIT | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
Records = list[tuple[libvirt.virDomain, dict[str, Any]]]
# Everything cached is read afresh so often, in seconds, in case an event was lost. So is what changes slowly.
_FORGET_AFTER = 60.0
# Addresses come and go without an event; asking for them costs a call for each network.
_LEASES_AFTER = 4.0
# What guests use is asked for no more often, however many events there are: QEMU is asked for every disk.
_DEMAND_AFTER = 4.0


@dataclass(frozen=True)
class Machine:
    """What does not change while a connection lasts."""

    cpu: int
    ram_mib: int
    architecture: str
    accelerator: str
    cpu_features: tuple[str, ...]
    versions: dict[str, str]


@dataclass(frozen=True)
class Build:
    """What changes only when somebody works on the host."""

    pools: dict[str, int]
    images: tuple[str, ...] | None
    numa: tuple[NumaObservation, ...]
    machines: tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """How busy a host is: what is remembered of it outlives a connection."""

    load: Load = field(default_factory=Load)
    demand: Demand = field(default_factory=Demand)


@dataclass
class Reader:
    """Reads one host through one connection, and remembers what need not be asked for again.

    :param connection: an open libvirt connection.
    :param use: what an earlier connection to the same host knew of its use.
    """

    host: str
    connection: libvirt.virConnect
    use: Use = field(default_factory=Use)
    _machine: Machine | None = None
    _build: Build | None = None
    _built_at: float = float("-inf")
    _facts: dict[str, DomainFacts] = field(default_factory=dict)
    _facts_since: float = 0.0
    _leases: dict[str, set[str]] = field(default_factory=dict)
    _leases_at: float = float("-inf")
    _demand_at: float = float("-inf")

    def forget(self, uuid: str) -> None:
        """A domain changed: read its XML again. May be called from any thread."""
        self._facts.pop(uuid, None)

    def read(self, now: datetime) -> HostObservation:
        """Read everything.

        :param now: the moment, for the observation.
        :raises libvirt.libvirtError: when the host does not answer.
        """
        machine = self._machine = self._machine or self._read_machine()
        build = self._read_build(machine)
        self.use = self._measure(machine, build)
        return HostObservation(
            host=self.host,
            at=now,
            cpu=machine.cpu,
            ram_mib=machine.ram_mib,
            # Without a pool for disks that name none nothing is placed there.
            disk_bytes=build.pools.get(DEFAULT_POOL, 0),
            architecture=machine.architecture,
            accelerator=machine.accelerator,
            versions=machine.versions,
            cpu_features=machine.cpu_features,
            networks=tuple(sorted(self.connection.listNetworks())),
            pools=build.pools,
            numa=build.numa,
            machines=build.machines,
            images=build.images,
            load=self.use.load.value,
            measured=self.use.demand.measured,
            domains=self._read_domains(),
        )

    def _read_machine(self) -> Machine:
        architecture, ram_mib, cpu, *_topology = self.connection.getInfo()
        versions = {"libvirt": _version(self.connection.getLibVersion())}
        with suppress(libvirt.libvirtError):
            versions[self.connection.getType().lower()] = _version(self.connection.getVersion())
        accelerator = self._read_accelerator(architecture)
        features = read_cpu_features(self.connection, architecture, accelerator)
        return Machine(cpu, ram_mib, architecture, accelerator, features, versions)

    def _read_accelerator(self, architecture: str) -> str:
        try:
            self.connection.getDomainCapabilities(None, architecture, None, "kvm")
        except libvirt.libvirtError:
            return "tcg"
        return "kvm"

    def _read_cpu_times(self) -> CpuTimes:
        times = self.connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS)
        idle = int(times.get("idle", 0)) + int(times.get("iowait", 0))
        busy = sum(int(times.get(name, 0)) for name in ("kernel", "user", "intr"))
        return CpuTimes(time.monotonic(), idle, idle + busy)

    def _measure(self, machine: Machine, build: Build) -> Use:
        load, demand = self.use.load.after(self._read_cpu_times()), self.use.demand
        if time.monotonic() - self._demand_at >= _DEMAND_AFTER:
            self._demand_at = time.monotonic()
            told = self.connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)
            memory = memory_in_use(told, sum(node.huge_pages_mib for node in build.numa))
            demand = demand.after(time.monotonic(), self._read_counters(), memory=memory, threads=machine.cpu)
        return Use(load, demand)

    def _read_counters(self) -> dict[str, Counters]:
        records: Records = self.connection.getAllDomainStats(_COUNTERS, _RUNNING)
        told = {domain.UUIDString(): read_counters(statistics) for domain, statistics in records}
        return {uuid: counters for uuid, counters in told.items() if counters is not None}

    def _read_build(self, machine: Machine) -> Build:
        """A host whose default pool is not there yet is being set up: it is looked at each time."""
        build = self._build
        fresh = time.monotonic() - self._built_at < _FORGET_AFTER
        if build is None or not fresh or DEFAULT_POOL not in build.pools:
            capabilities = self.connection.getCapabilities()
            build = self._build = Build(
                pools=read_pools(self.connection),
                images=read_images(self.connection),
                numa=read_numa(capabilities),
                machines=read_machines(capabilities, machine.architecture),
            )
            self._built_at = time.monotonic()
        return build

    def _read_domains(self) -> tuple[DomainObservation, ...]:
        if time.monotonic() - self._facts_since > _FORGET_AFTER:
            self._facts.clear()
            self._facts_since = time.monotonic()
        records: Records = self.connection.getAllDomainStats(_STATISTICS, _NOWAIT)
        leases = self._read_leases() if records else {}
        found = (self._observe(domain, statistics, leases) for domain, statistics in records)
        return tuple(domain for domain in found if domain is not None)

    def _observe(
        self, domain: libvirt.virDomain, statistics: dict[str, Any], leases: dict[str, set[str]]
    ) -> DomainObservation | None:
        uuid = domain.UUIDString()
        facts = self._facts.get(uuid)
        if facts is None:
            try:
                facts = self._facts[uuid] = read_facts(domain.XMLDesc(0))
            except libvirt.libvirtError as error:
                if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                    return None  # it went between the two calls
                raise
        return observe_domain(uuid, domain.name(), statistics, facts, leases)

    def _read_leases(self) -> dict[str, set[str]]:
        """IP addresses by MAC, of all networks that give out any."""
        if time.monotonic() - self._leases_at < _LEASES_AFTER:
            return self._leases
        leases: dict[str, set[str]] = {}
        for network in self.connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE):
            with suppress(libvirt.libvirtError):
                for lease in network.DHCPLeases():
                    leases.setdefault(str(lease["mac"]).lower(), set()).add(str(lease["ipaddr"]))
        self._leases, self._leases_at = leases, time.monotonic()
        return leases


def _version(number: int) -> str:
    """libvirt counts versions as 1000000 * major + 1000 * minor + release."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
