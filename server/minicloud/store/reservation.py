"""Reservations: room on hosts that is held for a while without a VM, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from . import late
from .base import Base

_HELD: Final = "state = 'held'"


class ReservationRow(Base):
    """A reservation. It takes its room while ``state`` is ``held`` and ``expires_at`` has not come, not longer.

    Hosts and VMs are named without foreign keys: history outlives them. ``decision`` is what is kept of why it is
    where it is.
    """

    __tablename__ = "reservations"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'used', 'released', 'expired')", name="state"),
        Index("ix_reservations_held_host", "host", postgresql_where=text(_HELD), sqlite_where=text(_HELD)),
        Index("ix_reservations_held_until", "expires_at", postgresql_where=text(_HELD), sqlite_where=text(_HELD)),
        # A name is free again once its reservation has ended.
        Index(
            "uq_reservations_project_name",
            "project",
            "name",
            unique=True,
            postgresql_where=text(f"{_HELD} AND name IS NOT NULL"),
            sqlite_where=text(f"{_HELD} AND name IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.name"))
    name: Mapped[str | None]
    state: Mapped[str]
    host: Mapped[str]
    cpu: Mapped[int]
    ram_mib: Mapped[int] = mapped_column(BigInteger)
    disk_bytes: Mapped[int] = mapped_column(BigInteger)
    architecture: Mapped[str]
    spec: Mapped[dict[str, Any]]
    decision: Mapped[dict[str, Any]]
    actor: Mapped[str]
    request_id: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    vm: Mapped[str | None]


def add(session: Session, reservation: Mapping[str, Any]) -> None:
    """Have a reservation written when the transaction commits; all columns."""
    late.add(session, ReservationRow, reservation)


# Spelt out: a database that has yet to be told the state does not know that the indexes of what is held will do.
IS_HELD: Final = ReservationRow.state == literal_column("'held'")

# Written once: to put them together anew costs three times what the database takes to answer them.
_SUMS: Final = (
    func.count(),
    func.coalesce(func.sum(ReservationRow.cpu), 0),
    func.coalesce(func.sum(ReservationRow.ram_mib), 0),
    func.coalesce(func.sum(ReservationRow.disk_bytes), 0),
)
_COUNTING: Final = (IS_HELD, ReservationRow.expires_at > bindparam("now"))
_LAPSED: Final = (IS_HELD, ReservationRow.expires_at <= bindparam("now"))
_USAGE: Final = (
    select(ReservationRow.project, *_SUMS)
    .where(*_COUNTING, ReservationRow.project.in_(bindparam("projects", expanding=True)))
    .group_by(ReservationRow.project)
)
_TOTALS: Final = select(ReservationRow.host, *_SUMS).where(*_COUNTING).group_by(ReservationRow.host)
_OVERDUE: Final = select(ReservationRow.id).where(*_LAPSED).order_by(ReservationRow.expires_at).limit(bindparam("most"))
_NAMED: Final = select(ReservationRow).where(
    IS_HELD,
    ReservationRow.project == bindparam("within"),
    ReservationRow.name.in_(bindparam("names", expanding=True)),
)


def find(session: Session, reservation: str) -> ReservationRow | None:
    return session.get(ReservationRow, reservation)


def several(session: Session, reservations: Collection[str]) -> Sequence[ReservationRow]:
    """Reservations by their ids, in the order of those."""
    query = select(ReservationRow).where(ReservationRow.id.in_(reservations))
    return session.scalars(query.order_by(ReservationRow.id)).all()


def named(session: Session, project: str, names: Collection[str]) -> Mapping[str, ReservationRow]:
    """Those of a project that are said to be held, by name."""
    rows = session.scalars(_NAMED, {"within": project, "names": [*names]})
    return {row.name: row for row in rows if row.name is not None}


def lock_many(session: Session, reservations: Collection[str], *, patient: bool = True) -> Mapping[str, ReservationRow]:
    """Reservations, for this transaction alone, always locked in one order, after hosts and before VMs.

    :param patient: False passes over those that another transaction has.
    """
    query = (
        select(ReservationRow)
        .where(ReservationRow.id.in_(reservations))
        .order_by(ReservationRow.id)
        .with_for_update(key_share=True, skip_locked=not patient)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in session.scalars(query)}


def held_on(session: Session, host: str, now: datetime) -> Sequence[str]:
    """The ids of those that take room of a host."""
    query = select(ReservationRow.id).where(*_COUNTING, ReservationRow.host == host).order_by(ReservationRow.id)
    return session.scalars(query, {"now": now}).all()


def lapsed_on(session: Session, host: str, now: datetime) -> Sequence[str]:
    """The ids of those on a host whose time is over, and that are still said to be held."""
    query = select(ReservationRow.id).where(*_LAPSED, ReservationRow.host == host).order_by(ReservationRow.id)
    return session.scalars(query, {"now": now}).all()


def overdue(session: Session, now: datetime, limit: int) -> Sequence[str]:
    """The ids of those whose time is over, and that are still said to be held, the oldest first; not locked."""
    return session.scalars(_OVERDUE, {"now": now, "most": limit}).all()


def usage(session: Session, projects: Collection[str], now: datetime) -> Mapping[str, tuple[int, int, int, int]]:
    """For each project that has any the number of those that take room, and their virtual CPUs, MiB and bytes."""
    rows = session.execute(_USAGE, {"projects": [*projects], "now": now})
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows}


def totals(session: Session, now: datetime) -> Mapping[str, tuple[int, int, int, int]]:
    """The same for each host."""
    rows = session.execute(_TOTALS, {"now": now})
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows}


def page(
    session: Session,
    *,
    now: datetime,
    before: str | None,
    limit: int,
    project: str | None,
    state: str | None,
    name: str | None,
    host: str | None,
) -> Sequence[ReservationRow]:
    """Reservations, the newest first. None does not filter.

    :param state: one whose time is over has expired, whatever is written of it.
    """
    query = select(ReservationRow).order_by(ReservationRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ReservationRow.id < before)
    if state == "held":
        query = query.where(IS_HELD, ReservationRow.expires_at > now)
    elif state == "expired":
        lapsed = (IS_HELD) & (ReservationRow.expires_at <= now)
        query = query.where(or_(ReservationRow.state == "expired", lapsed))
    elif state is not None:
        query = query.where(ReservationRow.state == state)
    for column, value in ((ReservationRow.project, project), (ReservationRow.name, name), (ReservationRow.host, host)):
        if value is not None:
            query = query.where(column == value)
    return session.scalars(query).all()


def counts(session: Session, now: datetime) -> Mapping[str, int]:
    """How many reservations are in which state; one whose time is over has expired."""
    lapsed = session.scalar(select(func.count()).select_from(ReservationRow).where(*_LAPSED), {"now": now}) or 0
    query = select(ReservationRow.state, func.count()).group_by(ReservationRow.state)
    said = {row[0]: int(row[1]) for row in session.execute(query)}
    if lapsed:
        said["held"] -= lapsed
        said["expired"] = said.get("expired", 0) + lapsed
    return said
