"""Domains: what was last seen on each host, ours or not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class DomainRow(Base):
    """A domain on a host. ``vm``, ``project``, ``spec_hash`` and ``epoch`` are its metadata's, if it is ours."""

    __tablename__ = "domains"

    host: Mapped[str] = mapped_column(ForeignKey("hosts.name", ondelete="CASCADE"), primary_key=True)
    uuid: Mapped[str] = mapped_column(primary_key=True, index=True)
    name: Mapped[str]
    state: Mapped[str]
    managed: Mapped[bool]
    vm: Mapped[str | None] = mapped_column(index=True)
    project: Mapped[str | None]
    spec_hash: Mapped[str | None]
    epoch: Mapped[int | None] = mapped_column(BigInteger)
    cpu: Mapped[int]
    ram_mib: Mapped[int] = mapped_column(BigInteger)
    cpu_time_ns: Mapped[int] = mapped_column(BigInteger)
    seen_at: Mapped[datetime]


def on_host(session: Session, host: str) -> Sequence[DomainRow]:
    return session.scalars(select(DomainRow).where(DomainRow.host == host).order_by(DomainRow.name)).all()


def managed(session: Session) -> Sequence[DomainRow]:
    """All domains of ours, wherever they are."""
    query = select(DomainRow).where(DomainRow.managed).order_by(DomainRow.host, DomainRow.uuid)
    return session.scalars(query).all()


def of_uuid(session: Session, uuid: str) -> Sequence[DomainRow]:
    """Every copy of a domain."""
    return session.scalars(select(DomainRow).where(DomainRow.uuid == uuid).order_by(DomainRow.host)).all()


def find(session: Session, host: str, uuid: str) -> DomainRow | None:
    return session.get(DomainRow, (host, uuid))


def forget(session: Session, host: str) -> None:
    """Drop all that was seen on a host."""
    session.execute(delete(DomainRow).where(DomainRow.host == host).execution_options(synchronize_session="fetch"))
