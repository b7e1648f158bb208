"""The fleet as the database has it: hosts with what was measured of them, and what VMs were promised there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from minicloud_core.model.host import network_use
from minicloud_core.model.scheduling import SchedulingSpec
from minicloud_core.model.vm import DEFAULT_POOL, pool_bytes
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode, Pool, Power
from minicloud_core.scheduler.preemption import left_behind, name_of_disks
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.vm_request import with_scheduling

from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store.allocation import Share
from minicloud.store.host import HostRow, Measurement
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from .deadlines import Deadlines
from .vm_names import VmNames


@dataclass(frozen=True)
class Snapshot:
    """A fleet with its VMs, and what tells whether it is still so.

    :param names: for terms that name a VM.
    :param marks: each host's generation, and how many shares of it are given away.
    :param deadlines: when reservations among the VMs end.
    """

    fleet: Fleet
    names: VmNames
    marks: dict[str, tuple[int, int]]
    deadlines: Deadlines


def take_snapshot(session: Session, now: datetime) -> Snapshot:
    """The whole fleet, read. Reservations whose time is over by ``now`` take no room in it.

    Hosts are read before allocations: whatever is allocated in between moves a generation, and the commit notices.
    """
    rows = hosts.everything(session)
    shares = allocations.shares(session)
    names = VmNames()
    note_names(names, shares)
    fleet = Fleet(map(host_view, rows))
    settle(fleet, shares, names)
    deadlines = Deadlines()
    for share in shares:
        if share.until is not None and share.host in fleet.rows:
            deadlines.note(share.vm, share.host, share.until)
    many = Counter(share.host for share in shares)
    snapshot = Snapshot(fleet, names, {row.name: (row.generation, many[row.name]) for row in rows}, deadlines)
    let_lapse(snapshot, now)
    return snapshot


def let_lapse(snapshot: Snapshot, now: datetime) -> None:
    """Take the room of those reservations whose time is over."""
    for reservation in snapshot.deadlines.pass_to(now):
        snapshot.fleet.remove(reservation)


def settle(fleet: Fleet, shares: Iterable[Share], names: VmNames) -> None:
    """Give VMs the room that they were promised. One that is on its way holds room on both its hosts."""
    for share in shares:
        if share.host in fleet.rows:
            request = request_of(share.vm, share, names)
            request = left_behind(request) if share.preempted else request
            fleet.add(place_name(share), share.host, request, _nodes(fleet, share, request))


def _nodes(fleet: Fleet, share: Share, request: Request) -> tuple[int, ...]:
    """The NUMA nodes on which a share lies; none where the host has other nodes by now than when it was given."""
    there = len(fleet.hosts[fleet.rows[share.host]].numa)
    return tuple(share.nodes) if request.numa and share.nodes and max(share.nodes) < there else ()


def place_name(share: Share) -> str:
    """What a VM's share of a host is called in a fleet: by the VM's id at home, with the host's name elsewhere."""
    if share.preempted:
        return name_of_disks(share.vm)
    return share.vm if share.host == share.home else f"{share.vm}@{share.host}"


def vm_of(place: str) -> str:
    """Whose share it is that a fleet calls so."""
    return place.partition("@")[0].removesuffix(name_of_disks(""))


def request_of(vm_id: str, vm: Share | VmRow, names: VmNames) -> Request:
    """What a VM asks for that is there, wherever it is to go.

    :param names: the VMs that terms may name.
    """
    pools = pool_bytes((disk["pool"], disk["size"]) for disk in vm.spec["disks"])
    request = Request(
        vm.cpu,
        vm.ram_mib,
        vm.disk_bytes - sum(pools.values()),
        host=vm.spec.get("host"),
        labels=vm.labels,
        project=vm.project,
        architecture=vm.architecture,
        networks=frozenset(nic["network"] for nic in vm.spec["nics"]),
        pools=pools,
        image=vm.spec["image"],
        vm=vm_id,
    )
    asked: Mapping[str, Any] = vm.spec.get("scheduling") or {}
    return with_scheduling(request, SchedulingSpec.from_stored(asked), names.of(vm.project)) if asked else request


def note_names(names: VmNames, shares: Collection[Share]) -> None:
    """Learn what VMs are called. A reservation is none: nobody can ask to be near it."""
    for share in shares:
        if share.until is None:
            names.note(share.project, share.name, share.vm)


def host_view(row: HostRow) -> HostView:
    """A host without its VMs. What it has not told is as if it had none of it, or not known; see decision 14."""
    nodes = tuple(NumaNode(node["cpu"], node["ram_mib"], node["huge_pages_mib"]) for node in row.numa or ())
    return HostView(
        id=row.name,
        cpu=row.cpu,
        ram_mib=row.ram_mib,
        disk_bytes=row.disk_bytes,
        state=row.state,
        cordoned=row.cordoned,
        cpu_overcommit=row.cpu_overcommit,
        ram_reserved_mib=row.ram_reserved_mib,
        labels=row.labels,
        generation=row.generation,
        architecture=row.architecture or None,
        dedicated=frozenset(row.dedicated or ()),
        power=None if row.power is None else Power(**row.power),
        bandwidth_mbps=row.bandwidth_mbps,
        cpu_features=_names(row.cpu_features or ()),
        networks=None if row.networks is None else _names(row.networks),
        machines=_names(row.machines or ()),
        pools={name: Pool(size) for name, size in (row.pools or {}).items() if name != DEFAULT_POOL},
        numa=nodes,
        huge_pages_mib=sum(node.huge_pages_mib for node in nodes),
        failures=tuple(row.failures or ()),
        **measured_of(row, row.bandwidth_mbps),
    )


def measured_of(row: HostRow | Measurement, bandwidth_mbps: int | None) -> dict[str, Any]:
    """Those fields of a host's view that may change at any time, and refuse no VM.

    :param bandwidth_mbps: of its network, in Mbit/s; None where nobody has said it, and no share of it is known.
    """
    told = row.measured or {}
    return {
        "load": row.load,
        "load_at": _seconds(row.load_at),
        "load_memory": told.get("memory"),
        "load_pressure": told.get("pressure"),
        "load_network": network_use(told.get("network_mbps"), bandwidth_mbps),
        "io_latency_ms": told.get("io_latency_ms"),
        "images": _names(row.images or ()),
    }


def _names(names: Iterable[str]) -> frozenset[str]:
    """Names as a set. Hosts that are alike share one: thousands of them know the same features and machine types."""
    return _shared(tuple(names))


@lru_cache(maxsize=4096)
def _shared(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(names)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
