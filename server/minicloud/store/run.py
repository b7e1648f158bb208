"""Runs: which playbook run carried out which operations."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class RunRow(Base):
    """One run of a playbook. Its operations name it; ``operations`` counts them, ``ended`` those that ended."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(primary_key=True)
    playbook: Mapped[str]
    owner: Mapped[str]
    operations: Mapped[int] = mapped_column(default=0)
    ended: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


def lock(session: Session, run: str) -> RunRow | None:
    return session.get(RunRow, run, with_for_update=True, populate_existing=True)


def lock_many(session: Session, runs: Collection[str]) -> Mapping[str, RunRow]:
    """Runs, for this transaction alone, always locked in one order."""
    query = select(RunRow).where(RunRow.id.in_(runs)).order_by(RunRow.id).with_for_update()
    return {row.id: row for row in session.scalars(query.execution_options(populate_existing=True))}
