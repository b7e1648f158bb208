# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host written down. Beside ``id``, ``cpu`` and ``ram`` everything may be left out.

``{"id", "cpu", "ram", "disk", "numa": [{"cpu", "ram", "huge_pages"}], "state", "cordoned", "labels", "load",
"cpu_overcommit", "ram_reserved", "power": {"idle_w", "max_w"}, "architecture", "machines", "cpu_features", "networks",
"bandwidth_mbps", "pools", "images", "reachable_images", "reachable_volumes", "dedicated", "failures", "huge_pages",
"creating"}``.

``load`` is measured CPU use, 0 to 1, or ``{"cpu", "memory", "disk", "network", "pressure", "io_latency_ms", "at"}``.
Moments are Unix seconds, or whatever the clock of the requests counts. ``host.HostView`` says what each field means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..model.host import HOST_TRANSITIONS
from ..model.units import format_mib
from .document_field import FieldReader
from .host import HostView, NumaNode, Pool, Power

_FIELDS: Final = (
    "id", "cpu", "ram", "disk", "numa", "state", "cordoned", "labels", "load", "cpu_overcommit", "ram_reserved",
    "power", "architecture", "machines", "cpu_features", "networks", "bandwidth_mbps", "pools", "images",
    "reachable_images", "reachable_volumes", "dedicated", "failures", "huge_pages",
    "creating",
)  # fmt: skip
# Parts of a load, and the fields of a host that they are.
_LOADS: Final = {
    "cpu": "load", "memory": "load_memory", "disk": "load_disk", "network": "load_network", "pressure": "load_pressure",
}  # fmt: skip
# Beyond these a figure is a slip of the pen; the schema has them too.
BANDWIDTH_MAX: Final = 1_000_000_000
WATTS_MAX: Final = 1_000_000
LATENCY_MAX_MS: Final = 1_000_000
CREATING_MAX: Final = 1_000_000


def read_host(reader: FieldReader, host: Mapping[str, Any], field: str, *, at: float) -> HostView:
    """Read a host; what is wrong with it is among the reader's problems.

    :param field: the host's path in the document, for problems.
    :param at: when its load was measured where it does not say, in Unix seconds.
    """
    reader.check_fields(host, _FIELDS, field)
    known = _read_state(reader, host, field) | _read_room(reader, host, field) | _read_kind(reader, host, field)
    measured = _read_load(reader, host.get("load"), f"{field}.load", at=at)
    return HostView(**known, **measured)


def _read_state(reader: FieldReader, host: Mapping[str, Any], field: str) -> dict[str, Any]:
    return {
        "id": reader.text(host.get("id"), f"{field}.id", "a host's name"),
        "state": reader.choice(host.get("state"), f"{field}.state", HOST_TRANSITIONS.states, "ready"),
        "cordoned": reader.flag(host.get("cordoned"), f"{field}.cordoned"),
        "labels": reader.labels(host.get("labels"), f"{field}.labels"),
        "creating": reader.whole(host.get("creating"), f"{field}.creating", 0, CREATING_MAX),
        "dedicated": reader.names(host.get("dedicated"), f"{field}.dedicated", "a project"),
        "failures": tuple(
            reader.moment(item, f"{field}.failures.{index}")
            for index, item in enumerate(reader.items(host.get("failures"), f"{field}.failures"))
        ),
    }


def _read_room(reader: FieldReader, host: Mapping[str, Any], field: str) -> dict[str, Any]:
    reserved, bandwidth = host.get("ram_reserved"), host.get("bandwidth_mbps")
    cpu, ram = reader.threads(host.get("cpu"), f"{field}.cpu"), reader.mib(host.get("ram"), f"{field}.ram")
    nodes = _numa(reader, host.get("numa"), f"{field}.numa")
    return {
        "cpu": cpu,
        "ram_mib": ram,
        "disk_bytes": reader.bytes(host.get("disk"), f"{field}.disk"),
        "cpu_overcommit": reader.ratio(host.get("cpu_overcommit"), f"{field}.cpu_overcommit"),
        "ram_reserved_mib": None if reserved is None else reader.mib(reserved, f"{field}.ram_reserved"),
        "numa": nodes,
        "pools": _pools(reader, host.get("pools"), f"{field}.pools"),
        "bandwidth_mbps": None
        if bandwidth is None
        else reader.whole(bandwidth, f"{field}.bandwidth_mbps", 0, BANDWIDTH_MAX),
        "huge_pages_mib": _huge_pages(reader, host, field, ram=ram, nodes=nodes),
    }


def _huge_pages(
    reader: FieldReader, host: Mapping[str, Any], field: str, *, ram: int, nodes: tuple[NumaNode, ...]
) -> int:
    """Those of the host, which are those of its nodes as soon as one of them tells of any."""
    on_nodes = sum(node.huge_pages_mib for node in nodes)
    if host.get("huge_pages") is None:
        return on_nodes
    huge = reader.mib(host["huge_pages"], f"{field}.huge_pages")
    if on_nodes and huge != on_nodes:
        message = f"{format_mib(huge)} are not the {format_mib(on_nodes)} of its NUMA nodes"
        reader.refuse(f"{field}.huge_pages", message, "leave it out, or make it their sum")
    elif huge > ram:
        reader.refuse(f"{field}.huge_pages", f"{format_mib(huge)} are more than its memory", "a part of ram")
    return huge


_KIND_NAMES: Final = {"machines": "a machine type", "cpu_features": "a CPU feature", "images": "an image"}
# What is left out of these is not known, which is something else than an empty list.
_REACH_NAMES: Final = {"networks": "a network", "reachable_images": "an image", "reachable_volumes": "a volume"}


def _read_kind(reader: FieldReader, host: Mapping[str, Any], field: str) -> dict[str, Any]:
    """What is neither room nor changes."""
    architecture = host.get("architecture")
    known: dict[str, Any] = {
        name: reader.names(host.get(name), f"{field}.{name}", what) for name, what in _KIND_NAMES.items()
    }
    for name, what in _REACH_NAMES.items():
        known[name] = None if host.get(name) is None else reader.names(host[name], f"{field}.{name}", what)
    known["architecture"] = (
        None if architecture is None else reader.text(architecture, f"{field}.architecture", "an architecture")
    )
    known["power"] = _power(reader, host.get("power"), f"{field}.power")
    return known


def _read_load(reader: FieldReader, value: Any, field: str, *, at: float) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        load = reader.share(value, field)
        return {"load": load, "load_at": None if load is None else at}
    reader.check_fields(value, (*_LOADS, "io_latency_ms", "at"), field)
    known: dict[str, Any] = {name: reader.share(value.get(part), f"{field}.{part}") for part, name in _LOADS.items()}
    latency = value.get("io_latency_ms")
    if latency is not None:
        known["io_latency_ms"] = reader.figure(latency, f"{field}.io_latency_ms", LATENCY_MAX_MS)
    when = at if value.get("at") is None else reader.moment(value["at"], f"{field}.at")
    measured = any(part is not None for part in known.values())
    return {**known, "load_at": when if measured else None}


def _power(reader: FieldReader, value: Any, field: str) -> Power | None:
    if value is None or value == {}:
        return None
    power = reader.mapping(value, field)
    if power is None:
        return None
    reader.check_fields(power, ("idle_w", "max_w"), field)
    idle = reader.figure(power.get("idle_w"), f"{field}.idle_w", WATTS_MAX)
    most = reader.figure(power.get("max_w"), f"{field}.max_w", WATTS_MAX)
    if most < idle:
        reader.refuse(f"{field}.max_w", f"{most:g} W at full load is less than {idle:g} W idle", "as much or more")
    return Power(idle, most)


def _pools(reader: FieldReader, value: Any, field: str) -> dict[str, Pool]:
    pools = {} if value is None else reader.mapping(value, field) or {}
    return {
        reader.text(name, field, "a pool's name"): Pool(reader.bytes(size, f"{field}.{name}"))
        for name, size in pools.items()
    }


def _numa(reader: FieldReader, value: Any, field: str) -> tuple[NumaNode, ...]:
    nodes = []
    for index, item in enumerate(reader.items(value, field)):
        node = reader.mapping(item, f"{field}.{index}")
        if node is not None:
            nodes.append(_node(reader, node, f"{field}.{index}"))
    return tuple(nodes)


def _node(reader: FieldReader, node: Mapping[str, Any], field: str) -> NumaNode:
    reader.check_fields(node, ("cpu", "ram", "huge_pages"), field)
    cpu, ram = reader.threads(node.get("cpu"), f"{field}.cpu"), reader.mib(node.get("ram"), f"{field}.ram")
    huge = 0 if node.get("huge_pages") is None else reader.mib(node["huge_pages"], f"{field}.huge_pages")
    if huge > ram:
        reader.refuse(f"{field}.huge_pages", f"{format_mib(huge)} are more than its memory", "a part of ram")
    return NumaNode(cpu, ram, huge)
