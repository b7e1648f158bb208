# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host written down: ``{"id", "cpu", "ram", "disk", "numa": [{"cpu", "ram"}], "state", "cordoned", "labels", "load",
"cpu_overcommit", "ram_reserved", "power"}``.

``load`` is measured CPU use, 0 to 1, or ``{"cpu": …}`` with it. ``power`` no rule reads yet: it has to be empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..model.host import HOST_TRANSITIONS
from .document_field import FieldReader
from .host import HostView, NumaNode

_UNHEEDED: Final = ("power",)
_FIELDS: Final = (
    "id", "cpu", "ram", "disk", "numa", "state", "cordoned", "labels", "load", "cpu_overcommit", "ram_reserved",
)  # fmt: skip


def read_host(reader: FieldReader, host: Mapping[str, Any], field: str, *, at: float) -> HostView:
    """Read a host; what is wrong with it is among the reader's problems.

    :param field: the host's path in the document, for problems.
    :param at: when its load was measured, in Unix seconds.
    """
    reader.check_fields(host, _FIELDS, field, unheeded=_UNHEEDED)
    load = _load(reader, host.get("load"), f"{field}.load")
    reserved = host.get("ram_reserved")
    return HostView(
        id=reader.text(host.get("id"), f"{field}.id", "a host's name"),
        cpu=reader.threads(host.get("cpu"), f"{field}.cpu"),
        ram_mib=reader.mib(host.get("ram"), f"{field}.ram"),
        disk_bytes=reader.bytes(host.get("disk"), f"{field}.disk"),
        state=reader.choice(host.get("state"), f"{field}.state", HOST_TRANSITIONS.states, "ready"),
        cordoned=reader.flag(host.get("cordoned"), f"{field}.cordoned"),
        cpu_overcommit=reader.ratio(host.get("cpu_overcommit"), f"{field}.cpu_overcommit"),
        ram_reserved_mib=None if reserved is None else reader.mib(reserved, f"{field}.ram_reserved"),
        labels=reader.labels(host.get("labels"), f"{field}.labels"),
        load=load,
        load_at=None if load is None else at,
        numa=_numa(reader, host.get("numa"), f"{field}.numa"),
    )


def _load(reader: FieldReader, value: Any, field: str) -> float | None:
    if not isinstance(value, Mapping):
        return reader.share(value, field)
    reader.check_fields(value, ("cpu",), field)
    return reader.share(value.get("cpu"), f"{field}.cpu")


def _numa(reader: FieldReader, value: Any, field: str) -> tuple[NumaNode, ...]:
    nodes = []
    for index, item in enumerate(reader.items(value, field)):
        node = reader.mapping(item, f"{field}.{index}")
        if node is not None:
            reader.check_fields(node, ("cpu", "ram"), f"{field}.{index}")
            cpu = reader.threads(node.get("cpu"), f"{field}.{index}.cpu")
            nodes.append(NumaNode(cpu, reader.mib(node.get("ram"), f"{field}.{index}.ram")))
    return tuple(nodes)
