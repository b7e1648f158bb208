"""A service's fleet as a fleet file says it. Pure: from what its API shows of hosts and VMs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from minicloud_core.model.host import network_use
from minicloud_core.model.units import MIB, plain_number
from minicloud_core.model.vm import DEFAULT_POOL, pool_bytes
from minicloud_core.scheduler.vm_request import terms_by_id

Row = Mapping[str, Any]

# What a VM was asked to keep, in the words of both.
_SAME: Final = (
    "group", "spread", "priority", "pinned", "host_labels", "cpu_features", "bandwidth_mbps", "machine", "numa",
    "huge_pages",
)  # fmt: skip
_TERMS: Final = ("affinity", "anti_affinity", "prefer_with", "prefer_apart")


def live_fleet(hosts: Iterable[Row], vms: Iterable[Row], reservations: Iterable[Row] = ()) -> dict[str, Any]:
    """The fleet's document.

    :param hosts: as an administrator sees them.
    :param vms: those that are not deleted. One without a host takes no room, and is left out. So is one that had to
        make room for another, but that its host has the less disk.
    :param reservations: those that are held. Each is as a VM that is being made, on its host and no other.
    """
    known, places = sorted(vms, key=lambda vm: str(vm["id"])), list(hosts)
    homes = {host["name"]: host for host in places}
    ids: dict[str, dict[str, str]] = {}
    for vm in known:
        ids.setdefault(vm["project"], {}).update({vm["name"]: vm["id"], vm["id"]: vm["id"]})
    placed = [vm for vm in known if vm["host"] is not None]
    left: dict[str, list[Row]] = {}
    for vm in placed:
        if vm["preempted"]:
            left.setdefault(vm["host"], []).extend(vm["disks"])
    return {
        "hosts": [
            _host(host, left.get(host["name"], ())) for host in sorted(places, key=lambda host: str(host["name"]))
        ],
        "vms": [
            *(_vm(vm, ids[vm["project"]]) | _seat(vm, homes.get(vm["host"])) for vm in placed if not vm["preempted"]),
            *(_vm(_coming(room), ids.get(room["project"], {})) for room in sorted(reservations, key=_id)),
        ],
    }


def _id(row: Row) -> str:
    return str(row["id"])


def _coming(room: Row) -> Row:
    """A reservation as the VM that may come of it."""
    return {**room, "name": room["name"] or room["id"], "host_pin": room["host"], "status": "provisioning"}


def _host(host: Row, left: Sequence[Row]) -> dict[str, Any]:
    """:param left: disks of VMs that have no room there any more."""
    gone = pool_bytes((disk["pool"], disk["size"]) for disk in left)
    plain = sum(disk["size"] for disk in left) - sum(gone.values())
    written = {
        "id": host["name"],
        "cpu": host["cpu"],
        "ram": host["ram_mib"],
        "disk": _mib(max(0, host["disk_bytes"] - plain)),
        "state": host["state"],
        "cordoned": host["cordoned"],
        "labels": host["labels"],
        "load": _load(host),
        "cpu_overcommit": host["cpu_overcommit"],
        "ram_reserved": host["ram_reserved_mib"],
        "architecture": host["architecture"],
        "dedicated": host["dedicated"],
        "power": host["power"],
        "bandwidth_mbps": host["bandwidth_mbps"],
        "cpu_features": host["cpu_features"],
        "networks": host["networks"],
        "pools": {
            name: _mib(max(0, size - gone.get(name, 0)))
            for name, size in (host["pools"] or {}).items()
            if name != DEFAULT_POOL
        },
        "numa": [_node(node) for node in host["numa"] or ()],
        "machines": host["machines"],
        "images": host["images"],
        "failures": [_seconds(moment) for moment in host["failures"]],
    }
    # That no network is up is something else than that nobody has looked.
    return _said(written) | ({} if host["networks"] is None else {"networks": host["networks"]})


def _node(node: Row) -> dict[str, Any]:
    huge = {"huge_pages": node["huge_pages_mib"]} if node["huge_pages_mib"] else {}
    return {"cpu": node["cpu"], "ram": node["ram_mib"], **huge}


def _load(host: Row) -> dict[str, Any]:
    if host["load"] is None or host["load_at"] is None:
        return {}
    told = host["measured"]
    measured = {
        "cpu": host["load"],
        "memory": told.get("memory"),
        "network": network_use(told.get("network_mbps"), host["bandwidth_mbps"]),
        "pressure": told.get("pressure"),
        "io_latency_ms": told.get("io_latency_ms"),
        "at": _seconds(host["load_at"]),
    }
    return {name: value for name, value in measured.items() if value is not None}


def _vm(vm: Row, ids: Mapping[str, str]) -> dict[str, Any]:
    asked = vm["scheduling"]
    pools = pool_bytes((disk["pool"], disk["size"]) for disk in vm["disks"])
    written = {
        "id": vm["id"],
        "name": vm["name"],
        "host": vm["host"],
        "host_pin": vm["host_pin"],
        "cpu": vm["cpu"],
        "ram": vm["ram"],
        "disk": _mib(sum(disk["size"] for disk in vm["disks"]) - sum(pools.values())),
        "pools": {name: _mib(size) for name, size in pools.items()},
        "image": vm["image"],
        "state": vm["status"],
        "labels": vm["labels"],
        "networks": sorted({nic["network"] for nic in vm["nics"]}),
        "project": vm["project"],
        **{name: asked[name] for name in _SAME if name in asked},
        **{name: list(terms_by_id(asked[name], ids)) for name in _TERMS if name in asked},
    }
    return _said(written)


def _seat(vm: Row, host: Row | None) -> dict[str, Any]:
    """The NUMA nodes on which it lies, which a file counts from 0."""
    numbers = [] if host is None else host["seats"].get(vm["id"], [])
    known = [] if host is None else [node["id"] for node in host["numa"] or ()]
    return {"nodes": [known.index(number) for number in numbers]} if numbers else {}


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _mib(size: int) -> int | float:
    """Bytes as the file counts them. Exact: MiB are a power of two."""
    return plain_number(size / MIB)


def _said(fields: Row) -> dict[str, Any]:
    """What there is something to say of. Zero is something: a host that keeps no memory for itself says so."""
    return {name: value for name, value in fields.items() if value not in (None, "", {}, []) and value is not False}
