# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The fleet as the scheduler reads it: hosts with what they have and what is promised already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from .request import Request


@dataclass(frozen=True)
class HostView:
    """One host, read-only.

    :param id: the host's name, unique in a snapshot.
    :param state: a state of ``model.host``.
    :param cpu: hardware threads.
    :param ram_mib: memory, in MiB.
    :param disk_bytes: what the pool for disks holds in all, in bytes.
    :param allocated_cpu: virtual CPUs promised to VMs, running or not; likewise the other two.
    :param cpu_overcommit: virtual CPUs for each thread; None for the policy's figure.
    :param ram_reserved_mib: memory kept for the host itself; None for the policy's figure.
    :param load: measured CPU use, 0 to 1, smoothed; None when it was never measured.
    :param load_at: when ``load`` was measured, in Unix seconds.
    :param generation: counts up with every allocation; a commit compares it.
    """

    id: str
    cpu: int
    ram_mib: int
    disk_bytes: int = 0
    state: str = "ready"
    cordoned: bool = False
    allocated_cpu: int = 0
    allocated_ram_mib: int = 0
    allocated_disk_bytes: int = 0
    cpu_overcommit: float | None = None
    ram_reserved_mib: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    load: float | None = None
    load_at: float | None = None
    generation: int = 0

    def holding(self, request: Request) -> HostView:
        """This host with the request's share promised as well."""
        return replace(
            self,
            allocated_cpu=self.allocated_cpu + request.cpu,
            allocated_ram_mib=self.allocated_ram_mib + request.ram_mib,
            allocated_disk_bytes=self.allocated_disk_bytes + request.disk_bytes,
            generation=self.generation + 1,
        )


class Snapshot:
    """The fleet at one moment, ordered by name whatever the order given.

    :raises ValueError: when two hosts have one name.
    """

    def __init__(self, hosts: Iterable[HostView]) -> None:
        self.hosts = tuple(sorted(hosts, key=lambda host: host.id))
        self._by_id = {host.id: host for host in self.hosts}
        if len(self._by_id) != len(self.hosts):
            names = [host.id for host in self.hosts]
            raise ValueError(f"hosts appear twice: {sorted({name for name in names if names.count(name) > 1})}")

    def host(self, host_id: str) -> HostView | None:
        return self._by_id.get(host_id)

    def holding(self, host_id: str, request: Request) -> Snapshot:
        """The fleet after the request went to that host, which makes room for the next decision.

        :raises KeyError: when there is no such host.
        """
        changed = self._by_id[host_id].holding(request)
        return Snapshot(changed if host.id == host_id else host for host in self.hosts)
