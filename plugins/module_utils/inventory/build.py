# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""From rows to an inventory: names, variables and groups, decided without Ansible."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.name import check_name

HYPERVISORS: Final = "hypervisors"
VMS: Final = "vms"
VM_NAMES: Final = ("name", "id")

HOST_FILTERS: Final = ("name", "state", "cordoned", "accelerator", "labels")
VM_FILTERS: Final = ("id", "name", "project", "status", "desired", "host", "image", "labels")

# A VM of such a name would be taken for something else by a play.
_RESERVED: Final = frozenset({"localhost", "all", "ungrouped", HYPERVISORS, VMS})

# What ends up on ssh's command line: nothing that could be read as an option or a command.
_ADDRESS: Final = re.compile(r"^[A-Za-z0-9:][A-Za-z0-9.:%_-]*\Z")
_USER: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]*\Z")
_KEY_FILE: Final = re.compile(r"^[A-Za-z0-9_./~][A-Za-z0-9_./~+@ -]*\Z")

_HOST_VARIABLES: Final = ("state", "cordoned", "accelerator", "cpu", "ram_mib", "libvirt_uri")
_VM_VARIABLES: Final = ("id", "uuid", "name", "project", "status", "desired", "host", "cpu", "ram_mib", "image")


@dataclass(frozen=True)
class Entry:
    """One inventory host with its variables and the groups it is in before any are constructed."""

    name: str
    variables: Mapping[str, Any]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """What of the rows to show.

    :param filters: ``{"hosts": {column: value or values}, "vms": {...}}``; ``labels`` takes a mapping.
    :param vm_names: ``name`` or ``id``: what VMs are called.
    :raises InputError: naming each filter that does not exist.
    """

    hosts: bool = True
    vms: bool = True
    filters: Mapping[str, Any] = field(default_factory=dict)
    vm_names: str = "name"

    def __post_init__(self) -> None:
        known = {"hosts": HOST_FILTERS, "vms": VM_FILTERS}
        problems = [
            Problem(f"filters.{key}", "unknown field", "hosts or vms") for key in self.filters if key not in known
        ]
        for noun, columns in known.items():
            wanted = self.filters.get(noun) or {}
            if not isinstance(wanted, Mapping):
                problems.append(Problem(f"filters.{noun}", "a mapping is needed", "one of " + ", ".join(columns)))
                continue
            problems += [
                Problem(f"filters.{noun}.{column}", "unknown field", "one of " + ", ".join(columns))
                for column in wanted
                if column not in columns
            ]
            if "labels" in wanted and not isinstance(wanted["labels"], Mapping):
                problems.append(Problem(f"filters.{noun}.labels", "a mapping is needed", "{tier: web}"))
        if problems:
            raise InputError(problems)


def build(
    rows: Mapping[str, Iterable[Mapping[str, Any]]], selection: Selection, warn: Callable[[str], None]
) -> list[Entry]:
    """The inventory's hosts: hypervisors by name, then VMs by id.

    A row whose name or connection could be mistaken for something else is left out.

    :param warn: told of each row left out or renamed, and why.
    """
    hosts = sorted(rows["hosts"], key=lambda row: str(row["name"]))
    taken = frozenset(str(row["name"]) for row in hosts) | _RESERVED
    entries = []
    if selection.hosts:
        chosen = [row for row in hosts if _matches(row, selection.filters.get("hosts") or {})]
        entries += [_hypervisor(row) for row in chosen if _is_sound_host(row, warn)]
    if selection.vms:
        every = sorted(rows["vms"], key=lambda row: str(row["id"]))
        names = _name_vms(every, taken, selection.vm_names, warn)
        entries += [
            _vm(row, names[str(row["id"])]) for row in every if _matches(row, selection.filters.get("vms") or {})
        ]
    return entries


def _matches(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(
        _has_labels(row, value) if column == "labels" else _is_among(row.get(column), value)
        for column, value in wanted.items()
    )


def _has_labels(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    labels = row.get("labels") or {}
    return all(key in labels and _is_among(labels[key], value) for key, value in wanted.items())


def _is_among(value: Any, wanted: Any) -> bool:
    # SQLite says 1 and 0 for true and false, which compare equal to them.
    return value in wanted if isinstance(wanted, (list, tuple)) else bool(value == wanted)


def _is_sound_host(row: Mapping[str, Any], warn: Callable[[str], None]) -> bool:
    name, key_file = str(row["name"]), row.get("ssh_key_file")
    problems = [problem.message for problem in check_name(name)] if name not in _RESERVED else [f"{name!r} is reserved"]
    if not _ADDRESS.match(str(row["address"])):
        problems.append(f"{row['address']!r} is not an address")
    if not _USER.match(str(row["ssh_user"])):
        problems.append(f"{row['ssh_user']!r} is not a user")
    if key_file and not _KEY_FILE.match(str(key_file)):
        problems.append(f"{key_file!r} is not a key file that can be used")
    if problems:
        warn(f"the host {name!r} is left out: " + ", ".join(problems))
    return not problems


def _hypervisor(row: Mapping[str, Any]) -> Entry:
    variables = {
        "ansible_host": str(row["address"]),
        "ansible_user": str(row["ssh_user"]),
        "ansible_port": int(row["ssh_port"]),
        **{f"minicloud_{key}": row.get(key) for key in _HOST_VARIABLES},
        "minicloud_cordoned": bool(row.get("cordoned")),
        "minicloud_labels": row.get("labels") or {},
        "minicloud_kind": "host",
    }
    if row.get("ssh_key_file"):
        variables["ansible_ssh_private_key_file"] = str(row["ssh_key_file"])
    return Entry(str(row["name"]), variables, (HYPERVISORS,))


def _name_vms(
    rows: list[Mapping[str, Any]], taken: frozenset[str], vm_names: str, warn: Callable[[str], None]
) -> dict[str, str]:
    """What each VM is called, by its id. Names repeat between projects; one that is not unique gives way to the id."""
    counts = Counter(str(row["name"]) for row in rows)
    names = {}
    for row in rows:
        vm_id, name = str(row["id"]), str(row["name"])
        names[vm_id] = vm_id
        if vm_names == "id":
            continue
        if counts[name] > 1 or name in taken or check_name(name):
            warn(f"the VM {vm_id} is called by its id, since its name {name!r} is not its own or not safe")
        else:
            names[vm_id] = name
    return names


def _vm(row: Mapping[str, Any], name: str) -> Entry:
    addresses = [str(address) for address in row.get("addresses") or ()]
    variables = {
        **{f"minicloud_{key}": row.get(key) for key in _VM_VARIABLES},
        "minicloud_labels": row.get("labels") or {},
        "minicloud_addresses": addresses,
        "minicloud_kind": "vm",
    }
    reachable = next((address for address in addresses if _ADDRESS.match(address)), None)
    if reachable:
        variables["ansible_host"] = reachable
    groups = [VMS, f"project_{row['project']}"]
    return Entry(name, variables, (*groups, f"host_{row['host']}") if row.get("host") else tuple(groups))
