# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A fleet written down: hosts and the VMs on them, as files and playbooks carry them.

``{"hosts": [{"id", "cpu", "ram", "disk", "state", "cordoned", "labels", "load", "cpu_overcommit", "ram_reserved"}],
"vms": [{"id", "host", "cpu", "ram", "disk"}]}``. Sizes take ``"4G"``; bare ones count MiB. ``load`` is CPU use, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.host import HOST_TRANSITIONS
from ..model.name import check_labels
from ..model.units import MIB, parse_bytes, parse_mib
from .fleet import Fleet
from .host import HostView
from .request import Request

_HOST_FIELDS: Final = (
    "id", "cpu", "ram", "disk", "state", "cordoned", "labels", "load", "cpu_overcommit", "ram_reserved",
)  # fmt: skip
_VM_FIELDS: Final = ("id", "host", "cpu", "ram", "disk", "name", "project", "labels", "state")


def read_fleet(hosts: Iterable[Mapping[str, Any]], vms: Iterable[Mapping[str, Any]] = (), *, at: float) -> Fleet:
    """Read a fleet; what its VMs take is promised already, whether they run or not.

    :param at: when the loads were measured, in Unix seconds.
    :raises InputError: naming every host and VM field that is wrong at once.
    """
    reader = _Reader()
    views = {view.id: view for index, host in enumerate(hosts) for view in reader.host(host, f"hosts.{index}", at)}
    held = [held for index, vm in enumerate(vms) for held in reader.vm(vm, f"vms.{index}", views)]
    if reader.problems:
        raise InputError(reader.problems)
    fleet = Fleet(views.values())
    for number, (host_id, request) in enumerate(held):
        fleet.add(f"vms.{number}", host_id, request)
    return fleet


class _Reader:
    """Collects what is wrong; each method yields one thing read, or nothing when it could not be."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._seen: set[str] = set()

    def host(self, host: Mapping[str, Any], field: str, at: float) -> Iterable[HostView]:
        before = len(self.problems)
        self._check_fields(host, _HOST_FIELDS, field)
        host_id = self._host_id(host, field)
        state = host.get("state") or "ready"
        if state not in HOST_TRANSITIONS.states:
            self._refuse(f"{field}.state", f"{state!r} is not a state", ", ".join(sorted(HOST_TRANSITIONS.states)))
        labels = host.get("labels") or {}
        self.problems += check_labels(labels, field=f"{field}.labels")
        load = self._share(host.get("load"), f"{field}.load")
        reserved = host.get("ram_reserved")
        view = HostView(
            id=host_id,
            cpu=self._count(host, "cpu", field),
            ram_mib=self._mib(host.get("ram"), f"{field}.ram"),
            disk_bytes=self._bytes(host.get("disk") or 0, f"{field}.disk"),
            state=str(state),
            cordoned=bool(host.get("cordoned", False)),
            cpu_overcommit=self._ratio(host.get("cpu_overcommit"), f"{field}.cpu_overcommit"),
            ram_reserved_mib=None if reserved is None else self._mib(reserved, f"{field}.ram_reserved"),
            labels=labels if isinstance(labels, dict) else {},
            load=load,
            load_at=None if load is None else at,
        )
        return [view] if len(self.problems) == before else []

    def vm(self, vm: Mapping[str, Any], field: str, hosts: Mapping[str, HostView]) -> Iterable[tuple[str, Request]]:
        before = len(self.problems)
        self._check_fields(vm, _VM_FIELDS, field)
        host_id = str(vm.get("host") or "")
        if host_id not in hosts and host_id not in self._seen:
            self._refuse(f"{field}.host", f"{host_id!r} is not among the hosts", ", ".join(sorted(hosts)))
        request = Request(
            cpu=self._count(vm, "cpu", field),
            ram_mib=self._mib(vm.get("ram"), f"{field}.ram"),
            disk_bytes=self._bytes(vm.get("disk") or 0, f"{field}.disk"),
        )
        return [(host_id, request)] if len(self.problems) == before and host_id in hosts else []

    def _refuse(self, field: str, message: str, allowed: str) -> None:
        self.problems.append(Problem(field, message, allowed))

    def _check_fields(self, mapping: Mapping[str, Any], known: tuple[str, ...], field: str) -> None:
        for key in mapping:
            if key not in known:
                self._refuse(f"{field}.{key}", "unknown field", "one of " + ", ".join(known))

    def _host_id(self, host: Mapping[str, Any], field: str) -> str:
        host_id = host.get("id")
        if not isinstance(host_id, str) or not host_id:
            self._refuse(f"{field}.id", f"{host_id!r} is not a host's name", "text such as node1")
            return ""
        if host_id in self._seen:
            self._refuse(f"{field}.id", f"{host_id} appears twice", "each host once")
        self._seen.add(host_id)
        return host_id

    def _count(self, mapping: Mapping[str, Any], key: str, field: str) -> int:
        value = mapping.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self._refuse(f"{field}.{key}", f"{value!r} is not a number of CPUs", "a whole number, 0 or more")
            return 0
        return value

    def _mib(self, value: Any, field: str) -> int:
        try:
            return parse_mib(value, field=field)
        except InputError as error:
            self.problems += error.problems
            return 0

    def _bytes(self, value: Any, field: str) -> int:
        try:
            return parse_bytes(value, field=field, unit=MIB)
        except InputError as error:
            self.problems += error.problems
            return 0

    def _share(self, value: Any, field: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            self._refuse(field, f"{value!r} is not a share", "a number from 0 to 1")
            return None
        return float(value)

    def _ratio(self, value: Any, field: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
            self._refuse(field, f"{value!r} is not a ratio", "a number above 0")
            return None
        return float(value)
