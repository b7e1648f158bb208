# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The fleet as columns: one array over all hosts for each thing that is known of them.

A rule then is a few operations over the whole fleet, whatever its size. Columns are changed in place when a VM comes
or goes, and the fleet remembers which rows changed, so that whoever computed something from them need only look at
those again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..model.host import PLACEABLE
from .arrays import ALL, np, require_numpy
from .company import Company
from .domain import Domains
from .feature_columns import FeatureColumns
from .grain import cpus, grains
from .host import HostView
from .measure_columns import MeasureColumns
from .mix import Mix
from .moment import Moment
from .pool_columns import PoolColumns
from .request import Request

if TYPE_CHECKING:
    from .arrays import Rows

# Of the columns of ``Fleet.used``, and of a board's: virtual CPUs and memory of the whole host come first; from the
# other on, those of its NUMA nodes; between them is disk.
WHOLE: Final = 2
NODES: Final = 3
# Changes remembered for each host. Who has not looked for longer looks at everything.
_REMEMBERED = 4


class Fleet:
    """Hosts, ordered by name whatever the order given: the row of a host is its place in that order.

    Unknown figures are NaN. Memory is in MiB, disk in bytes, ``cpu`` in threads, what VMs use of it in grains. NUMA
    columns have a row for each host and a column for each node of the host that has the most; a node that a host has
    not holds -1 MiB, in which not even a VM of no size has room.

    What VMs use stands together in ``used``, so that what is left of everything is one subtraction: hosts by virtual
    CPUs, memory, disk, virtual CPUs of each node, memory of each node. All of it are whole numbers, which floating
    point adds up exactly to 2 to the 53rd: 8 PiB of disk. ``cpu_used`` and the like are its columns.

    :raises ValueError: when two hosts have one name.
    :raises UnavailableError: without NumPy.
    """

    def __init__(self, hosts: Iterable[HostView]) -> None:
        require_numpy()
        self.hosts = sorted(hosts, key=lambda host: host.id)
        self.rows = {host.id: row for row, host in enumerate(self.hosts)}
        if len(self.rows) != len(self.hosts):
            names = [host.id for host in self.hosts]
            raise ValueError(f"hosts appear twice: {sorted({name for name in names if names.count(name) > 1})}")
        self.mix = Mix()
        self.moment = Moment()
        self._vms: dict[str, tuple[int, Request, tuple[int, ...]]] = {}
        self._on: list[dict[str, None]] | None = None
        self.company = Company(self._vms, Domains(self.hosts))
        # VMs that are off, or on their way somewhere: planners leave them where they are.
        self.not_running: set[str] = set()
        # Counts changes. The rows that changed are remembered, but not for ever.
        self.version = 0
        self._changed: list[int] = []
        self._forgotten = 0
        # Counts changes of what rules that stand say, whatever VMs come and go.
        self.state_version = 0
        # VMs that ever came, the grains and MiB that they took, and the most that one did.
        self.arrivals, self.arrived_cpu, self.arrived_ram = 0, 0, 0
        self.largest_cpu, self.largest_ram = 0, 0
        self._read_used()
        self._read_room()
        self._read_state()
        self._read_nodes()

    def __len__(self) -> int:
        return len(self.hosts)

    def _read_used(self) -> None:
        hosts = self.hosts
        self.nodes = most = max((len(host.numa) for host in hosts), default=0)
        self.used = used = np.zeros((len(hosts), NODES + 2 * most), dtype=np.float64, order="F")
        self.cpu_used, self.ram_used, self.disk_used = used[:, 0], used[:, 1], used[:, 2]
        self.node_cpu_used, self.node_ram_used = used[:, NODES : NODES + most], used[:, NODES + most :]
        self.cpu_used[:] = [grains(host.allocated_cpu) for host in hosts]
        self.ram_used[:] = [host.allocated_ram_mib for host in hosts]
        self.disk_used[:] = [host.allocated_disk_bytes for host in hosts]

    def _read_room(self) -> None:
        hosts = self.hosts
        self.cpu = np.array([host.cpu for host in hosts], dtype=np.float64)
        self.ram = np.array([host.ram_mib for host in hosts], dtype=np.int64)
        self.disk = np.array([host.disk_bytes for host in hosts], dtype=np.int64)
        self.huge = np.array([host.huge_pages_mib for host in hosts], dtype=np.int64)
        self.huge_used = np.array([host.allocated_huge_pages_mib for host in hosts], dtype=np.int64)
        self.pinned_used = np.array([grains(host.allocated_pinned_cpu) for host in hosts], dtype=np.float64)
        # Whether any VM ever had threads of its own; where none has, nothing need be told apart. Likewise has_huge.
        self.pins = bool(self.pinned_used.any())
        # A host of which no bandwidth is known has none to promise.
        self.bandwidth = np.array([host.bandwidth_mbps or 0 for host in hosts], dtype=np.int64)
        self.bandwidth_used = np.array([host.allocated_bandwidth_mbps for host in hosts], dtype=np.int64)
        self.pools = PoolColumns(hosts)
        self.overcommit = _known([host.cpu_overcommit for host in hosts])
        self.ram_reserved = _known([host.ram_reserved_mib for host in hosts])

    def _read_state(self) -> None:
        hosts = self.hosts
        self.placeable = np.array([host.state in PLACEABLE for host in hosts], dtype=np.bool_)
        self.cordoned = np.array([host.cordoned for host in hosts], dtype=np.bool_)
        self.creating = np.array([host.creating for host in hosts], dtype=np.int64)
        self.features = FeatureColumns(hosts)
        self.measured = MeasureColumns(hosts)
        self.load, self.load_at = self.measured.cpu, self.measured.at

    def _read_nodes(self) -> None:
        shape = len(self.hosts), self.nodes
        self.node_cpu = np.zeros(shape, dtype=np.float64)
        self.node_ram = np.full(shape, -1, dtype=np.int64)
        self.node_huge = np.zeros(shape, dtype=np.int64)
        for row, host in enumerate(self.hosts):
            for node, has in enumerate(host.numa):
                self.node_cpu[row, node], self.node_ram[row, node] = has.cpu, has.ram_mib
                self.node_huge[row, node] = has.huge_pages_mib
        self.numa_told = np.array([bool(host.numa) for host in self.hosts], dtype=np.bool_)
        self.has_huge = bool(self.huge.any() or self.huge_used.any() or self.node_huge.any())
        self.node_huge_used = np.zeros_like(self.node_ram)
        self.node_pinned_used = np.zeros_like(self.node_cpu)

    def host(self, host_id: str) -> HostView | None:
        """A host as it is now."""
        row = self.rows.get(host_id)
        if row is None:
            return None
        return replace(
            self.hosts[row],
            allocated_cpu=cpus(self.cpu_used[row].item()),
            allocated_ram_mib=int(self.ram_used[row]),
            allocated_disk_bytes=int(self.disk_used[row]),
            allocated_bandwidth_mbps=int(self.bandwidth_used[row]),
            allocated_huge_pages_mib=int(self.huge_used[row]),
            allocated_pinned_cpu=cpus(self.pinned_used[row].item()),
            creating=int(self.creating[row]),
            pools=self.pools.on(row),
        )

    def with_open(self, host_id: str) -> Fleet:
        """The fleet as it would be if a host took VMs. To be read alone: it shares its columns with this one."""
        opened = copy(self)
        opened.placeable, opened.cordoned = self.placeable.copy(), self.cordoned.copy()
        opened.placeable[self.rows[host_id]], opened.cordoned[self.rows[host_id]] = True, False
        return opened

    def add(self, vm: str, host_id: str, request: Request, nodes: tuple[int, ...] = ()) -> None:
        """Promise a VM its share of a host.

        :param nodes: the NUMA nodes that it lies on, each in equal parts.
        :raises KeyError: when there is no such host.
        :raises ValueError: when a VM of that id is there already.
        """
        if vm in self._vms:
            raise ValueError(f"{vm} is on {self.hosts[self._vms[vm][0]].id} already")
        row = self.rows[host_id]
        self._vms[vm] = (row, request, nodes)
        if self._on is not None:
            self._on[row][vm] = None
        self._count(row, request, nodes, 1)
        self.company.count(row, request, 1)
        self.moment = self.moment.passes((Fleet.remove, (vm,)))

    def remove(self, vm: str) -> None:
        """Give a VM's share back.

        :raises KeyError: when there is no such VM.
        """
        row, request, nodes = self._vms.pop(vm)
        self.not_running.discard(vm)
        if self._on is not None:
            del self._on[row][vm]
        self._count(row, request, nodes, -1)
        self.company.count(row, request, -1)
        self.moment = self.moment.passes((Fleet.add, (vm, self.hosts[row].id, request, nodes)))

    @contextmanager
    def without(self, vms: Iterable[str]) -> Iterator[None]:
        """The fleet without some VMs, for a moment. Afterwards all is as it was, and no time has passed.

        :raises KeyError: when there is no such VM.
        """
        moment, not_running = self.moment, set(self.not_running)
        places = [(vm, str(self.where(vm)), self.request_of(vm), self.nodes_of(vm)) for vm in vms]
        for place in places:
            self.remove(place[0])
        try:
            yield
        finally:
            for place in places:
                self.add(*place)
            self.moment, self.not_running = moment, not_running

    def where(self, vm: str) -> str | None:
        """The host of a VM that was added."""
        place = self._vms.get(vm)
        return None if place is None else self.hosts[place[0]].id

    def requests_on(self, row: int) -> list[Request]:
        """What the VMs on a host asked for, in the order in which they came."""
        return [self._vms[vm][1] for vm in self._by_row()[row]]

    def on(self, host_id: str) -> list[str]:
        """The VMs on a host, in the order in which they came.

        :raises KeyError: when there is no such host.
        """
        return [*self._by_row()[self.rows[host_id]]]

    def _by_row(self) -> list[dict[str, None]]:
        """The VMs on each host. Made when somebody first asks."""
        if self._on is None:
            self._on = [{} for _host in self.hosts]
            for vm, (place, _request, _nodes) in self._vms.items():
                self._on[place][vm] = None
        return self._on

    def with_hosts(self, hosts: Iterable[HostView]) -> Fleet:
        """Another fleet with the same VMs, on hosts of the same names of which other things are known. What is asked
        for lately is told to both."""
        twin = Fleet(hosts)
        for vm, (row, request, nodes) in self._vms.items():
            twin.add(vm, self.hosts[row].id, request, nodes)
        twin.not_running = set(self.not_running)
        twin.mix = self.mix
        return twin

    def as_of(self, moment: Moment) -> Fleet:
        """The fleet as it was at a moment, as a copy of its own. What was asked for lately is not part of it."""
        past = self.copy()
        for undo, arguments in moment.undoes():
            undo(past, *arguments)
        return past

    def vms(self) -> list[str]:
        """The VMs that were added, in the order of their ids."""
        return sorted(self._vms)

    def request_of(self, vm: str) -> Request:
        """What a VM asked for.

        :raises KeyError: when there is no such VM, as :meth:`nodes_of` does.
        """
        return self._vms[vm][1]

    def nodes_of(self, vm: str) -> tuple[int, ...]:
        """The NUMA nodes that a VM lies on."""
        return self._vms[vm][2]

    def copy(self) -> Fleet:
        """Another fleet that is as this one is now: what happens to one does not happen to the other."""
        twin = Fleet(self.hosts)
        twin.placeable[:], twin.cordoned[:] = self.placeable, self.cordoned
        twin.creating[:] = self.creating
        for vm, (row, request, nodes) in self._vms.items():
            twin.add(vm, self.hosts[row].id, request, nodes)
        twin.not_running = set(self.not_running)
        twin.mix = deepcopy(self.mix)
        return twin

    def close(self, host_id: str, state: str | None = None) -> None:
        """Take no VMs on a host any more.

        :param state: what the host is then, such as ``down``; None to cordon it.
        :raises KeyError: when there is no such host.
        """
        row = self.rows[host_id]
        self._note_state(row)
        self.cordoned[row] = True
        if state is not None:
            self.hosts[row] = replace(self.hosts[row], state=state)
            self.placeable[row] = state in PLACEABLE
        self._note_stand(row)

    def open(self, host_id: str) -> None:
        """Lift a cordon."""
        row = self.rows[host_id]
        self._note_state(row)
        self.cordoned[row] = False
        self._note_stand(row)

    def _count(self, row: int, request: Request, nodes: tuple[int, ...], sign: int) -> None:
        if sign > 0:
            self._note_arrival(request.cpu_grains, request.ram_mib)
        self.cpu_used[row] += sign * request.cpu_grains
        self.ram_used[row] += sign * request.ram_mib
        self.disk_used[row] += sign * request.disk_bytes
        if request.bandwidth_mbps:
            self.bandwidth_used[row] += sign * request.bandwidth_mbps
        if request.pools:
            self.pools.count(row, request.pools, sign)
        if request.pinned:
            self.pins = True
            self.pinned_used[row] += sign * request.cpu_grains
        if request.huge_pages:
            self.has_huge = True
            self.huge_used[row] += sign * request.ram_mib
        for node in nodes:
            cpu, ram_mib = request.on_each(len(nodes))
            self.node_cpu_used[row, node] += sign * cpu
            self.node_ram_used[row, node] += sign * ram_mib
            self.node_pinned_used[row, node] += sign * cpu * request.pinned
            self.node_huge_used[row, node] += sign * ram_mib * request.huge_pages
        self._note(row)

    def _note_arrival(self, cpu: int, ram_mib: int) -> None:
        self.arrivals += 1
        self.arrived_cpu += cpu
        self.arrived_ram += ram_mib
        self.largest_cpu = max(self.largest_cpu, cpu)
        self.largest_ram = max(self.largest_ram, ram_mib)

    def set_creating(self, host_id: str, count: int) -> None:
        """How many VMs are being created on a host now.

        :raises KeyError: when there is no such host.
        """
        row = self.rows[host_id]
        self.moment = self.moment.passes((Fleet.set_creating, (host_id, int(self.creating[row]))))
        self.creating[row] = count
        self._note(row)

    def _note_state(self, row: int) -> None:
        """Remember how a host is before it is another."""
        before = row, self.hosts[row], bool(self.placeable[row]), bool(self.cordoned[row])
        self.moment = self.moment.passes((Fleet._restore, before))

    def _restore(self, row: int, host: HostView, placeable: bool, cordoned: bool) -> None:
        self.hosts[row], self.placeable[row], self.cordoned[row] = host, placeable, cordoned
        self._note_stand(row)

    def _note_stand(self, row: int) -> None:
        self.state_version += 1
        self._note(row)

    def _note(self, row: int) -> None:
        """Remember that a row changed."""
        if len(self._changed) >= max(64, _REMEMBERED * len(self.hosts)):
            self._forgotten += len(self._changed)
            self._changed.clear()
        self._changed.append(row)
        self.version += 1

    def changed_since(self, version: int) -> Rows:
        """The rows that changed after a version, each once; ``ALL`` when it is too long ago to tell, or never was."""
        if version < self._forgotten:
            return ALL
        rows = self._changed[version - self._forgotten :]
        return np.array(rows if len(rows) < 2 else sorted(set(rows)), dtype=np.intp)


def _known(values: Iterable[float | None]):  # type: ignore[no-untyped-def]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
