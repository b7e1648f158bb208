# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A fleet written down: hosts and the VMs on them, as files and playbooks carry them.

``{"hosts": […], "vms": […]}``; see ``host_document`` and ``vm_document`` for one of each. Sizes take ``"4G"``; bare
ones count MiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..model.errors import InputError
from .board import Board
from .document_field import FieldReader
from .fleet import Fleet
from .host import HostView
from .host_document import read_host
from .mix import Mix
from .pipeline import Scheduler
from .policy import BALANCED, Policy
from .request import Request
from .vm_document import WrittenVm, read_vm


def read_fleet(
    hosts: Iterable[Mapping[str, Any]],
    vms: Iterable[Mapping[str, Any]] = (),
    *,
    at: float,
    policy: Policy = BALANCED,
    ids: bool = False,
) -> Fleet:
    """Read a fleet; what its VMs take is promised already, whether they run or not.

    VMs of so many NUMA nodes that do not say which are given nodes where they cost the least, the largest first.

    :param at: when the loads were measured, in Unix seconds.
    :param policy: whose figures say how much a NUMA node may promise.
    :param ids: whether VMs must have one. Without, one that has none is called by its place, ``vms.3``.
    :raises InputError: naming every host and VM field that is wrong at once.
    """
    reader = _FleetReader(at=at, ids=ids)
    for index, host in enumerate(hosts):
        reader.read_host(host, f"hosts.{index}")
    for index, vm in enumerate(vms):
        reader.read_vm(vm, f"vms.{index}")
    reader.check()
    fleet = Fleet(reader.hosts.values())
    reader.settle(fleet, policy)
    reader.check()
    return fleet


class _FleetReader(FieldReader):
    """Reads hosts, then VMs, and knows what was there before."""

    def __init__(self, *, at: float, ids: bool) -> None:
        super().__init__()
        self.hosts: dict[str, HostView] = {}
        self._at, self._ids = at, ids
        # Hosts that were named, rightly or not; VMs with their place in the document.
        self._named: set[str] = set()
        self._vms: dict[str, tuple[str, WrittenVm]] = {}

    def check(self) -> None:
        if self.problems:
            raise InputError(self.problems)

    def read_host(self, value: Any, field: str) -> None:
        mapping = self.mapping(value, field)
        if mapping is None:
            return
        before = len(self.problems)
        host = read_host(self, mapping, field, at=self._at)
        if host.id in self._named:
            self.refuse(f"{field}.id", f"{host.id} appears twice", "each host once")
        elif host.id:
            self._named.add(host.id)
        if len(self.problems) == before:
            self.hosts[host.id] = host

    def read_vm(self, value: Any, field: str) -> None:
        mapping = self.mapping(value, field)
        if mapping is None:
            return
        if not isinstance(mapping.get("host"), str) or mapping["host"] not in self._named:
            known = ", ".join(sorted(self._named)) or "a host of the fleet"
            self.refuse(f"{field}.host", f"{mapping.get('host')!r} is not among the hosts", known)
            mapping = {**mapping, "host": None}
        vm = read_vm(self, mapping, field, unnamed=None if self._ids else field)
        if vm.id in self._vms:
            self.refuse(f"{field}.id", f"{vm.id} appears twice", "each VM once")
        elif vm.id:
            self._vms[vm.id] = (field, vm)

    def settle(self, fleet: Fleet, policy: Policy) -> None:
        """Put the VMs where they say they are."""
        scheduler, board = Scheduler(fleet, policy), Board(fleet, policy.limits)
        nodes_first = sorted(self._vms.values(), key=lambda item: _size(item[1]), reverse=True)
        for field, vm in nodes_first:
            host = str(vm.request.host)
            # There it is; whether it could be elsewhere, its other fields say.
            request = replace(vm.request, host=vm.host_pin)
            if not request.numa or vm.nodes:
                self._check_nodes(fleet, host, vm, f"{field}.nodes")
                fleet.add(vm.id, host, request, vm.nodes)
            elif _has_nodes(board, request, host):
                scheduler.take(vm.id, host, request)
            else:
                message = f"too few NUMA nodes of {host} have room for a part of it, {vm.request.numa} wanted"
                self.refuse(f"{field}.numa", message, "as many nodes as it has room on, or none")
            if not vm.running:
                fleet.not_running.add(vm.id)
        # What was settled is not what is asked for lately.
        fleet.mix = Mix()

    def _check_nodes(self, fleet: Fleet, host: str, vm: WrittenVm, field: str) -> None:
        known = len(fleet.hosts[fleet.rows[host]].numa)
        if vm.nodes and max(vm.nodes) >= known:
            self.refuse(field, f"{host} has {known} NUMA nodes, counted from 0", "nodes of its host")
            raise InputError(self.problems)


def _size(vm: WrittenVm) -> tuple[bool, int, float, int]:
    """Those that say where they lie come before those whose nodes are dealt out, and those by their size."""
    return bool(vm.nodes), vm.request.numa, vm.request.cpu, vm.request.ram_mib


def _has_nodes(board: Board, request: Request, host: str) -> bool:
    """Whether a host has as many NUMA nodes with room, whatever else speaks against it: the VM is there already."""
    board.refresh()
    row = board.fleet.rows[host]
    return int(board.nodes_take(request, request.numa, slice(row, row + 1)).sum()) >= request.numa
