"""Projects and their quotas."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, bindparam, select
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
    priority_max: Mapped[int | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


# Written once: to put them together anew costs three times what the database takes to answer them.
_NAMED: Final = select(ProjectRow).where(ProjectRow.name == bindparam("project"))
_MANY: Final = select(ProjectRow).where(ProjectRow.name.in_(bindparam("projects", expanding=True)))
_LOCK_MANY: Final = (
    _MANY.order_by(ProjectRow.name).with_for_update(key_share=True).execution_options(populate_existing=True)
)
_LOCK: Final = _NAMED.with_for_update(key_share=True).execution_options(populate_existing=True)


def find(session: Session, name: str) -> ProjectRow | None:
    return session.scalars(_NAMED, {"project": name}).one_or_none()


def named(session: Session, names: Collection[str]) -> Mapping[str, ProjectRow]:
    return {row.name: row for row in session.scalars(_MANY, {"projects": [*names]})}


def lock_many(session: Session, names: Collection[str]) -> Mapping[str, ProjectRow]:
    """Projects, for this transaction alone, always locked in one order."""
    return {row.name: row for row in session.scalars(_LOCK_MANY, {"projects": [*names]})}


def lock(session: Session, name: str) -> ProjectRow | None:
    """The project, for this transaction alone: who counts against a quota must not be overtaken."""
    return session.scalars(_LOCK, {"project": name}).one_or_none()


def page(session: Session, *, after: str | None, limit: int) -> Sequence[ProjectRow]:
    query = select(ProjectRow).order_by(ProjectRow.name).limit(limit)
    return session.scalars(query if after is None else query.where(ProjectRow.name > after)).all()
