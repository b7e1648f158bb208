"""Projects and their quotas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class ProjectRow(Base):
    """A project. A limit of None is none."""

    __tablename__ = "projects"

    name: Mapped[str] = mapped_column(primary_key=True)
    vm_limit: Mapped[int | None]
    cpu_limit: Mapped[int | None]
    ram_mib_limit: Mapped[int | None] = mapped_column(BigInteger)
    disk_bytes_limit: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


def find(session: Session, name: str) -> ProjectRow | None:
    return session.get(ProjectRow, name)


def lock(session: Session, name: str) -> ProjectRow | None:
    """The project, for this transaction alone: who counts against a quota must not be overtaken."""
    query = select(ProjectRow).where(ProjectRow.name == name).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def page(session: Session, *, after: str | None, limit: int) -> Sequence[ProjectRow]:
    query = select(ProjectRow).order_by(ProjectRow.name).limit(limit)
    return session.scalars(query if after is None else query.where(ProjectRow.name > after)).all()
