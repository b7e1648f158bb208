"""Hosts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import BigInteger, CheckConstraint, CursorResult, bindparam, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class HostRow(Base):
    """A host. ``generation`` counts up whenever something that placement reads changes.

    Registration writes the addresses, fence, labels and what the scheduler is told of it; the observer what it
    measures; ``state`` moves by its table.
    """

    __tablename__ = "hosts"
    __table_args__ = (
        CheckConstraint("state IN ('registering', 'ready', 'suspect', 'fencing', 'down', 'maintenance')", name="state"),
    )

    name: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str]
    ssh_user: Mapped[str]
    ssh_port: Mapped[int]
    ssh_key_file: Mapped[str | None]
    libvirt_uri: Mapped[str]
    migrate_address: Mapped[str]
    labels: Mapped[dict[str, str]]
    fence: Mapped[dict[str, Any] | None]
    cpu_overcommit: Mapped[float | None]
    ram_reserved_mib: Mapped[int | None]
    dedicated: Mapped[list[Any] | None]
    power: Mapped[dict[str, Any] | None]
    bandwidth_mbps: Mapped[int | None]

    state: Mapped[str] = mapped_column(default="registering")
    state_reason: Mapped[str] = mapped_column(default="")
    state_at: Mapped[datetime]
    cordoned: Mapped[bool] = mapped_column(default=False)
    # All of them are summed up at every placement; the index alone is a twentieth of what is kept of hosts.
    generation: Mapped[int] = mapped_column(BigInteger, default=0, index=True)
    fence_not_before: Mapped[datetime | None]

    cpu: Mapped[int] = mapped_column(default=0)
    ram_mib: Mapped[int] = mapped_column(BigInteger, default=0)
    disk_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    architecture: Mapped[str] = mapped_column(default="")
    accelerator: Mapped[str] = mapped_column(default="")
    versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    cpu_features: Mapped[list[Any] | None] = mapped_column(default=list)
    networks: Mapped[list[Any] | None]
    # Bytes by name.
    pools: Mapped[dict[str, Any] | None]
    numa: Mapped[list[Any] | None]
    machines: Mapped[list[Any] | None]
    images: Mapped[list[Any] | None]
    # Unix seconds.
    failures: Mapped[list[Any] | None] = mapped_column(default=list)
    # CPU use, what else was measured, and when both were.
    load: Mapped[float | None]
    measured: Mapped[dict[str, Any] | None]
    load_at: Mapped[datetime | None]
    observed_at: Mapped[datetime | None]
    silent_since: Mapped[datetime | None]
    silence_reason: Mapped[str] = mapped_column(default="")

    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


# Written once: to put them together anew costs three times what the database takes to answer them.
_EVERYTHING: Final = select(HostRow).order_by(HostRow.name)
_MEASUREMENTS: Final = select(HostRow.name, HostRow.load, HostRow.measured, HostRow.images, HostRow.load_at)
_HOLD_ALL: Final = select(HostRow.name).order_by(HostRow.name).with_for_update(key_share=True)
_LOCK_ALL: Final = _EVERYTHING.with_for_update(key_share=True).execution_options(populate_existing=True)
_ADVANCE_ALL: Final = (
    update(HostRow.__table__)  # type: ignore[arg-type]
    .where(HostRow.name == bindparam("host"), HostRow.generation == bindparam("seen"))
    .values(generation=HostRow.generation + 1)
)
_ADVANCE: Final = _ADVANCE_ALL.execution_options(synchronize_session=False)


def find(session: Session, name: str) -> HostRow | None:
    return session.get(HostRow, name)


def lock(session: Session, name: str) -> HostRow | None:
    """The host, for this transaction alone. Hosts are locked before VMs: one order, so no two wait for each other."""
    query = select(HostRow).where(HostRow.name == name).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def lock_all(session: Session) -> Sequence[HostRow]:
    """Every host, for this transaction alone."""
    return session.scalars(_LOCK_ALL).all()


def hold_all(session: Session) -> None:
    """Lock every host for this transaction alone, without a look at it."""
    session.execute(_HOLD_ALL).all()


def advance(session: Session, name: str, generation: int) -> bool:
    """Move the host's generation on, if it still is what the caller decided by."""
    result = session.execute(_ADVANCE, {"host": name, "seen": generation})
    return cast(CursorResult[Any], result).rowcount == 1


def advance_all(session: Session, seen: Mapping[str, int]) -> bool:
    """Move the generations of several hosts on, always in one order.

    :param seen: for each host the generation that the caller decided by.
    :returns: False when one of them has another by now. Then nothing of the transaction may be kept.
    """
    values = [{"host": name, "seen": seen[name]} for name in sorted(seen)]
    result = session.connection().execute(_ADVANCE_ALL, values) if values else None
    return result is None or result.rowcount == len(values)


def everything(session: Session) -> Sequence[HostRow]:
    return session.scalars(_EVERYTHING).all()


@dataclass(frozen=True)
class Measurement:
    """What was last measured of a host: its CPU use, whatever else, and when; and the images that lie there."""

    load: float | None = None
    measured: Mapping[str, float] | None = None
    images: Collection[str] | None = None
    load_at: datetime | None = None


def measurements(session: Session) -> Mapping[str, Measurement]:
    """What was last measured of each host."""
    return {row[0]: Measurement(*row[1:]) for row in session.execute(_MEASUREMENTS)}


def named(session: Session, names: Collection[str]) -> Mapping[str, HostRow]:
    rows = session.scalars(select(HostRow).where(HostRow.name.in_(names)))
    return {row.name: row for row in rows}


def page(session: Session, *, after: str | None, limit: int, state: str | None) -> Sequence[HostRow]:
    query = select(HostRow).order_by(HostRow.name).limit(limit)
    if after is not None:
        query = query.where(HostRow.name > after)
    if state is not None:
        query = query.where(HostRow.state == state)
    return session.scalars(query).all()


def counts(session: Session) -> Mapping[str, int]:
    """How many hosts are in which state."""
    query = select(HostRow.state, func.count()).group_by(HostRow.state)
    return {row[0]: row[1] for row in session.execute(query)}
