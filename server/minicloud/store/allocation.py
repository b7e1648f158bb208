"""Allocations: what of a host is promised to a VM. A migrating VM holds two.

What reservations hold counts as well wherever shares are counted, and is kept with them (``reservation``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, bindparam, case, delete, false, func, null, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from . import late
from . import reservation as reservations
from .base import Base
from .host import HostRow
from .reservation import IS_HELD, ReservationRow
from .vm import VmRow


class AllocationRow(Base):
    """A VM's share of a host. That of one that waits for others to make room is what it needs beside theirs.

    ``nodes`` are those of the host's NUMA nodes on which it lies, by their place among them; null for one that asks for
    none.
    """

    __tablename__ = "allocations"

    vm: Mapped[str] = mapped_column(ForeignKey("vms.id"), primary_key=True)
    host: Mapped[str] = mapped_column(ForeignKey("hosts.name"), primary_key=True, index=True)
    cpu: Mapped[int]
    ram_mib: Mapped[int] = mapped_column(BigInteger)
    disk_bytes: Mapped[int] = mapped_column(BigInteger)
    nodes: Mapped[list[Any] | None]
    created_at: Mapped[datetime]


def add(session: Session, share: Mapping[str, Any]) -> None:
    """Have a share written when the transaction commits; all columns."""
    late.add(session, AllocationRow, share)


# Written once: to put it together anew costs three times what the database takes to answer it.
_TOTALS: Final = select(
    AllocationRow.host,
    func.count(),
    func.sum(AllocationRow.cpu),
    func.sum(AllocationRow.ram_mib),
    func.sum(AllocationRow.disk_bytes),
).group_by(AllocationRow.host)


@dataclass(frozen=True)
class Share:
    """What of a host is promised to a VM, or held by a reservation, with what else placement asks about it.

    :param vm: the VM's id, or the reservation's.
    :param home: the host that the VM lives on; another than ``host`` while it is on its way.
    :param nodes: the host's NUMA nodes on which the VM lies, by their place among them; None where it asks for none.
    :param preempted: whether the VM had to make room for another. Then this is what its disks take, and no more.
    :param until: of a reservation, when its time is over: from then on it takes no room. None for a VM.
    """

    vm: str
    host: str
    home: str | None
    name: str
    project: str
    cpu: int
    ram_mib: int
    disk_bytes: int
    labels: dict[str, str]
    architecture: str
    spec: dict[str, Any]
    nodes: list[int] | None = None
    preempted: bool = False
    until: datetime | None = None


_SHARES: Final = (
    select(
        AllocationRow.vm,
        AllocationRow.host,
        VmRow.host,
        VmRow.name,
        VmRow.project,
        AllocationRow.cpu,
        AllocationRow.ram_mib,
        AllocationRow.disk_bytes,
        VmRow.labels,
        VmRow.image_content["architecture"].as_string(),
        VmRow.spec,
        AllocationRow.nodes,
        VmRow.preempted.is_not(None),
    )
    .join(VmRow, VmRow.id == AllocationRow.vm)
    .order_by(AllocationRow.host, VmRow.number)
)
_SHARES_OF: Final = _SHARES.where(AllocationRow.host == bindparam("of"))
_HELD: Final = (
    select(
        ReservationRow.id,
        ReservationRow.host,
        ReservationRow.host,
        func.coalesce(ReservationRow.name, ""),
        ReservationRow.project,
        ReservationRow.cpu,
        ReservationRow.ram_mib,
        ReservationRow.disk_bytes,
        ReservationRow.spec["labels"],
        ReservationRow.architecture,
        ReservationRow.spec,
        null(),
        false(),
        ReservationRow.expires_at,
    )
    .where(IS_HELD)
    .order_by(ReservationRow.host, ReservationRow.id)
)
_HELD_ON: Final = _HELD.where(ReservationRow.host == bindparam("of"))
_MARK: Final = select(
    select(func.count()).select_from(HostRow).scalar_subquery(),
    select(func.coalesce(func.sum(HostRow.generation), 0)).scalar_subquery(),
    select(func.count()).select_from(AllocationRow).scalar_subquery(),
    select(func.count()).select_from(ReservationRow).where(IS_HELD).scalar_subquery(),
)
_GENERATIONS: Final = select(HostRow.name, HostRow.generation)
_COUNTS: Final = (
    select(AllocationRow.host, func.count()).group_by(AllocationRow.host),
    select(ReservationRow.host, func.count()).where(IS_HELD).group_by(ReservationRow.host),
)


def of_vm(session: Session, vm: str) -> Sequence[AllocationRow]:
    return session.scalars(select(AllocationRow).where(AllocationRow.vm == vm).order_by(AllocationRow.host)).all()


def on_host(session: Session, host: str) -> Sequence[AllocationRow]:
    return session.scalars(select(AllocationRow).where(AllocationRow.host == host).order_by(AllocationRow.vm)).all()


def everything(session: Session) -> Sequence[AllocationRow]:
    return session.scalars(select(AllocationRow)).all()


def shares(session: Session, *, host: str | None = None) -> Sequence[Share]:
    """All shares, those of each host in the order in which their VMs came, then those of reservations that are said
    to be held, whether their time is over or not.

    :param host: that host's alone; None for every host's.
    """
    if host is None:
        return [Share(*row) for query in (_SHARES, _HELD) for row in session.execute(query)]
    return [Share(*row) for query in (_SHARES_OF, _HELD_ON) for row in session.execute(query, {"of": host})]


def mark(session: Session) -> tuple[int, int, int]:
    """The number of hosts, the sum of their generations, and the number of shares, those of reservations among them.

    No two states of the fleet in which anybody has another room or state have the same, unless hosts were removed and
    others made: a share is only ever given with its host's generation moved on.
    """
    count, generations, given, held = session.execute(_MARK).one()
    return int(count), int(generations), int(given) + int(held)


def marks(session: Session) -> Mapping[str, tuple[int, int]]:
    """For each host its generation and the number of its shares."""
    given: Counter[str] = Counter()
    for query in _COUNTS:
        given.update({row[0]: int(row[1]) for row in session.execute(query)})
    return {row[0]: (int(row[1]), given[row[0]]) for row in session.execute(_GENERATIONS)}


def hosts_of(session: Session, vm_ids: Collection[str]) -> frozenset[str]:
    """The hosts of which VMs have shares."""
    return frozenset(session.scalars(select(AllocationRow.host).where(AllocationRow.vm.in_(vm_ids))))


def exists(session: Session, vm: str, host: str) -> bool:
    return session.get(AllocationRow, (vm, host)) is not None


def nodes(session: Session, vm_ids: Collection[str]) -> Mapping[tuple[str, str], list[int]]:
    """For VMs that lie on NUMA nodes of their own, by VM and host, which they are."""
    # A share may have been given in this transaction.
    session.flush()
    late.write(session)
    query = select(AllocationRow.vm, AllocationRow.host, AllocationRow.nodes).where(AllocationRow.vm.in_(vm_ids))
    return {(row[0], row[1]): row[2] for row in session.execute(query) if row[2]}


def seats(session: Session) -> Mapping[str, Mapping[str, list[int]]]:
    """By host and VM the NUMA nodes on which VMs lie, for those that asked for some."""
    found: dict[str, dict[str, list[int]]] = {}
    query = select(AllocationRow.host, AllocationRow.vm, AllocationRow.nodes).where(AllocationRow.nodes.is_not(None))
    for host, vm, nodes_there in session.execute(query.order_by(AllocationRow.vm)):
        found.setdefault(host, {})[vm] = nodes_there
    return found


def resize(
    session: Session, vm: str, host: str, *, cpu: int, ram_mib: int, nodes: Collection[int] | None = None
) -> None:
    """Make a VM's share of a host another; its disks take what they took."""
    row = session.get(AllocationRow, (vm, host), populate_existing=True)
    assert row is not None
    row.cpu, row.ram_mib, row.nodes = cpu, ram_mib, [*nodes] if nodes else None


def hand_over(session: Session, vm: str, heir: str, most: tuple[int, int]) -> None:
    """Give what a VM has of its host to another that has a share there already, if that still waits for it.

    :param most: the virtual CPUs and MiB beyond which the other's share does not grow.
    """
    for row in of_vm(session, vm):
        grow = (
            update(AllocationRow)
            .where(AllocationRow.vm == heir, AllocationRow.host == row.host)
            .values(cpu=_at_most(AllocationRow.cpu + row.cpu, most[0]))
            .values(ram_mib=_at_most(AllocationRow.ram_mib + row.ram_mib, most[1]))
        )
        session.execute(grow.execution_options(synchronize_session="fetch"))


def _at_most(value: ColumnElement[int], most: int) -> ColumnElement[int]:
    return case((value > most, most), else_=value)


def free(session: Session, vm: str, *, host: str | None = None, keep: str | None = None) -> None:
    """Give shares back.

    :param host: the only host to free; None for all.
    :param keep: a host whose share stays.
    """
    change = delete(AllocationRow).where(AllocationRow.vm == vm)
    if host is not None:
        change = change.where(AllocationRow.host == host)
    if keep is not None:
        change = change.where(AllocationRow.host != keep)
    session.flush()
    session.execute(change.execution_options(synchronize_session="fetch"))


def totals(session: Session, now: datetime) -> Mapping[str, tuple[int, int, int, int]]:
    """For each host of which anything is promised: the number of its VMs, and the virtual CPUs, MiB and bytes that
    they and reservations hold."""
    rows = session.execute(_TOTALS)
    promised = {row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows}
    for host, (_many, cpu, ram_mib, disk_bytes) in reservations.totals(session, now).items():
        before = promised.get(host, (0, 0, 0, 0))
        promised[host] = (before[0], before[1] + cpu, before[2] + ram_mib, before[3] + disk_bytes)
    return promised
