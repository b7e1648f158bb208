# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A VM written down: ``{"id", "host", "cpu", "ram", "disk", "numa", "name", "labels", "state", "project", "priority",
"affinity", "anti_affinity"}``.

``cpu`` may be a fraction; ``numa`` is over how many nodes the VM lies. The last four no rule reads yet: they have to be
empty. Every state takes the same room, since a VM that is stopped may be started again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..model.vm import VM_TRANSITIONS
from .document_field import FieldReader
from .request import Request

_UNHEEDED: Final = ("project", "priority", "affinity", "anti_affinity")
_FIELDS: Final = ("id", "host", "cpu", "ram", "disk", "numa", "name", "labels", "state")

# One that is deleted is not there.
_STATES: Final = tuple(state for state in VM_TRANSITIONS.states if state != "deleted")


@dataclass(frozen=True)
class WrittenVm:
    """A VM as it was read. ``request.host`` is the host that it names, if any."""

    id: str
    request: Request


def read_vm(reader: FieldReader, vm: Mapping[str, Any], field: str, *, unnamed: str | None = None) -> WrittenVm:
    """Read a VM; what is wrong with it is among the reader's problems.

    :param field: the VM's path in the document, for problems.
    :param unnamed: what to call a VM without an id; None where it must have one.
    """
    reader.check_fields(vm, _FIELDS, field, unheeded=_UNHEEDED)
    vm_id = unnamed if unnamed is not None and vm.get("id") is None else None
    host = vm.get("host")
    reader.choice(vm.get("state"), f"{field}.state", _STATES, "running")
    if vm.get("name") is not None:
        reader.text(vm["name"], f"{field}.name", "a VM's name")
    request = Request(
        cpu=reader.cpus(vm.get("cpu"), f"{field}.cpu"),
        ram_mib=reader.mib(vm.get("ram"), f"{field}.ram"),
        disk_bytes=reader.bytes(vm.get("disk"), f"{field}.disk"),
        host=None if host is None else reader.text(host, f"{field}.host", "a host's name"),
        labels=reader.labels(vm.get("labels"), f"{field}.labels"),
        numa=reader.nodes(vm.get("numa"), f"{field}.numa"),
    )
    return WrittenVm(vm_id or reader.text(vm.get("id"), f"{field}.id", "a VM's id"), request)
