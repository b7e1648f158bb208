"""Allocations: what of a host is promised to a VM. A migrating VM holds two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, ForeignKey, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class AllocationRow(Base):
    """A VM's share of a host."""

    __tablename__ = "allocations"

    vm: Mapped[str] = mapped_column(ForeignKey("vms.id"), primary_key=True)
    host: Mapped[str] = mapped_column(ForeignKey("hosts.name"), primary_key=True, index=True)
    cpu: Mapped[int]
    ram_mib: Mapped[int] = mapped_column(BigInteger)
    disk_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


# Written once: to put it together anew costs three times what the database takes to answer it.
_TOTALS: Final = select(
    AllocationRow.host,
    func.count(),
    func.sum(AllocationRow.cpu),
    func.sum(AllocationRow.ram_mib),
    func.sum(AllocationRow.disk_bytes),
).group_by(AllocationRow.host)


def of_vm(session: Session, vm: str) -> Sequence[AllocationRow]:
    return session.scalars(select(AllocationRow).where(AllocationRow.vm == vm).order_by(AllocationRow.host)).all()


def on_host(session: Session, host: str) -> Sequence[AllocationRow]:
    return session.scalars(select(AllocationRow).where(AllocationRow.host == host).order_by(AllocationRow.vm)).all()


def everything(session: Session) -> Sequence[AllocationRow]:
    return session.scalars(select(AllocationRow)).all()


def exists(session: Session, vm: str, host: str) -> bool:
    return session.get(AllocationRow, (vm, host)) is not None


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


def totals(session: Session) -> Mapping[str, tuple[int, int, int, int]]:
    """For each host with VMs: their number, and the virtual CPUs, MiB and bytes promised."""
    rows = session.execute(_TOTALS)
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows}
