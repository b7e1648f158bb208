# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A VM written down. Beside ``id``, ``host``, ``cpu`` and ``ram`` everything may be left out.

``{"id", "host", "host_pin", "cpu", "ram", "disk", "numa", "nodes", "name", "state", "labels", "project", "group",
"priority",
"affinity", "anti_affinity", "prefer_with", "prefer_apart", "spread": [{"by", "at_most", "label"}], "host_labels",
"architecture", "machine", "cpu_features", "networks", "bandwidth_mbps", "pools", "image", "volumes",
"pinned", "huge_pages"}``.

``cpu`` may be a fraction; ``numa`` is over how many nodes the VM lies. Every state takes the same room, since a VM that
is stopped may be started again. ``request.Request`` says what each field means.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..model.name import check_labels
from ..model.term import check_group, check_term, join_term, split_term
from ..model.vm import VM_TRANSITIONS
from .conflict import conflicts
from .document_field import NUMA_MAX, FieldReader
from .request import DEFAULT_PROJECT, Request
from .spread import Spread

_FIELDS: Final = (
    "id", "host", "host_pin", "cpu", "ram", "disk", "numa", "nodes", "name", "labels", "state", "project", "group",
    "priority", "affinity", "anti_affinity", "prefer_with", "prefer_apart", "spread", "host_labels", "architecture",
    "machine", "cpu_features", "networks", "bandwidth_mbps", "pools", "image", "volumes", "pinned", "huge_pages",
)  # fmt: skip
_SPREAD_FIELDS: Final = ("by", "at_most", "label")
PRIORITY_MAX: Final = 1_000_000
BANDWIDTH_MAX: Final = 1_000_000_000
AT_MOST_MAX: Final = 1 << 20

# One that is deleted is not there.
_STATES: Final = tuple(state for state in VM_TRANSITIONS.states if state != "deleted")


@dataclass(frozen=True)
class WrittenVm:
    """A VM as it was read. ``request.host`` is the host that it names, if any.

    :param host_pin: in a fleet, the host that it asked for by name, wherever it is.
    :param nodes: in a fleet, the NUMA nodes of its host on which it lies, by their place among them; empty where they
        are yet to be dealt out.
    """

    id: str
    request: Request
    running: bool = True
    host_pin: str | None = None
    nodes: tuple[int, ...] = ()


def read_vm(reader: FieldReader, vm: Mapping[str, Any], field: str, *, unnamed: str | None = None) -> WrittenVm:
    """Read a VM; what is wrong with it is among the reader's problems.

    :param field: the VM's path in the document, for problems.
    :param unnamed: what to call a VM without an id; None where it must have one.
    """
    before = len(reader.problems)
    reader.check_fields(vm, _FIELDS, field)
    vm_id = unnamed if unnamed is not None and vm.get("id") is None else None
    state = reader.choice(vm.get("state"), f"{field}.state", _STATES, "running")
    if vm.get("name") is not None:
        reader.text(vm["name"], f"{field}.name", "a VM's name")
    known = _read_room(reader, vm, field) | _read_company(reader, vm, field) | _read_host(reader, vm, field)
    pin = None if vm.get("host_pin") is None else reader.text(vm["host_pin"], f"{field}.host_pin", "a host's name")
    vm_id = vm_id or reader.text(vm.get("id"), f"{field}.id", "a VM's id")
    request = Request(**known, vm=vm_id or None)
    if len(reader.problems) == before:
        reader.problems += conflicts(request, field)
    nodes = _read_nodes(reader, vm.get("nodes"), f"{field}.nodes", numa=known["numa"])
    return WrittenVm(vm_id, request, running=state == "running", host_pin=pin, nodes=nodes)


def _read_nodes(reader: FieldReader, value: Any, field: str, *, numa: int) -> tuple[int, ...]:
    nodes = tuple(
        reader.whole(item, f"{field}.{index}", 0, NUMA_MAX - 1, missing=None)
        for index, item in enumerate(reader.items(value, field))
    )
    if nodes and (len(nodes) != numa or len({*nodes}) != numa):
        reader.refuse(field, f"{len({*nodes})} nodes of a VM that lies on {numa}", "as many as numa says, each once")
        return ()
    return nodes


def _read_room(reader: FieldReader, vm: Mapping[str, Any], field: str) -> dict[str, Any]:
    return {
        "cpu": reader.cpus(vm.get("cpu"), f"{field}.cpu"),
        "ram_mib": reader.mib(vm.get("ram"), f"{field}.ram"),
        "disk_bytes": reader.bytes(vm.get("disk"), f"{field}.disk"),
        "pools": _pools(reader, vm.get("pools"), f"{field}.pools"),
        "bandwidth_mbps": reader.whole(vm.get("bandwidth_mbps"), f"{field}.bandwidth_mbps", 0, BANDWIDTH_MAX),
        "numa": reader.nodes(vm.get("numa"), f"{field}.numa"),
        "pinned": reader.flag(vm.get("pinned"), f"{field}.pinned"),
        "huge_pages": reader.flag(vm.get("huge_pages"), f"{field}.huge_pages"),
    }


def _read_company(reader: FieldReader, vm: Mapping[str, Any], field: str) -> dict[str, Any]:
    project, group = vm.get("project"), vm.get("group")
    if group is not None:
        reader.problems += check_group(group, field=f"{field}.group")
    terms = {
        name: _terms(reader, vm.get(name), f"{field}.{name}")
        for name in ("affinity", "anti_affinity", "prefer_with", "prefer_apart")
    }
    return {
        "labels": reader.labels(vm.get("labels"), f"{field}.labels"),
        "project": DEFAULT_PROJECT if project is None else reader.text(project, f"{field}.project", "a project"),
        "group": group if isinstance(group, str) else None,
        "priority": reader.whole(vm.get("priority"), f"{field}.priority", -PRIORITY_MAX, PRIORITY_MAX),
        "spread": read_spread(reader, vm.get("spread"), f"{field}.spread"),
        **terms,
    }


def _read_host(reader: FieldReader, vm: Mapping[str, Any], field: str) -> dict[str, Any]:
    """What the VM asks of its host beside room."""
    said = {
        name: None if vm.get(name) is None else reader.text(vm[name], f"{field}.{name}", what)
        for name, what in _HOST_TEXTS.items()
    }
    named = {name: reader.names(vm.get(name), f"{field}.{name}", what) for name, what in _HOST_NAMES.items()}
    return {**said, **named, "host_labels": reader.labels(vm.get("host_labels"), f"{field}.host_labels")}


_HOST_TEXTS: Final = {
    "host": "a host's name", "architecture": "an architecture", "machine": "a machine type", "image": "an image",
}  # fmt: skip
_HOST_NAMES: Final = {"cpu_features": "a CPU feature", "networks": "a network", "volumes": "a volume"}


def _pools(reader: FieldReader, value: Any, field: str) -> dict[str, int]:
    pools = {} if value is None else reader.mapping(value, field) or {}
    return {
        reader.text(name, field, "a pool's name"): reader.bytes(size, f"{field}.{name}") for name, size in pools.items()
    }


def _terms(reader: FieldReader, value: Any, field: str) -> tuple[str, ...]:
    terms = reader.items(value, field)
    problems = [
        problem
        for index, term in enumerate(terms)
        for problem in check_term(term, field=f"{field}.{index}", any_id=True)
    ]
    reader.problems += problems
    # In an order that tells nothing, each once: requests that mean the same are the same.
    return () if problems else tuple(sorted({join_term(*split_term(term)) for term in terms}))


def read_spread(reader: FieldReader, value: Any, field: str) -> tuple[Spread, ...]:
    """Read how many of a kind may share a failure domain; what is wrong is among the reader's problems."""
    found = []
    for index, item in enumerate(reader.items(value, field)):
        here = f"{field}.{index}"
        limit = reader.mapping(item, here)
        if limit is None:
            continue
        reader.check_fields(limit, _SPREAD_FIELDS, here)
        by, label = limit.get("by"), limit.get("label")
        _check_key(reader, by, f"{here}.by")
        if label is not None:
            _check_key(reader, label, f"{here}.label")
        at_most = reader.whole(limit.get("at_most"), f"{here}.at_most", 1, AT_MOST_MAX, missing=None)
        found.append(Spread(str(by), at_most, None if label is None else str(label)))
    return tuple(sorted(set(found), key=lambda one: (one.by, one.at_most, one.label or "")))


def _check_key(reader: FieldReader, value: Any, field: str) -> None:
    if not isinstance(value, str) or check_labels({value: ""}):
        reader.refuse(field, f"{value!r} is not a label's key", "such as rack, or host for each host by itself")
