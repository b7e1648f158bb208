"""The audit: who did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from . import late
from .base import Base, Serial


class AuditRow(Base):
    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    token: Mapped[str]
    action: Mapped[str]
    resource: Mapped[str] = mapped_column(index=True)
    project: Mapped[str | None]
    request_id: Mapped[str]
    details: Mapped[dict[str, Any]]


def add(session: Session, entry: Mapping[str, Any]) -> None:
    """Have an entry written when the transaction commits; all columns but the number."""
    late.add(session, AuditRow, entry)


def page(
    session: Session, *, before: int | None, limit: int, action: str | None, resource: str | None
) -> Sequence[AuditRow]:
    """Entries, the newest first. None does not filter."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditRow.id < before)
    for column, value in ((AuditRow.action, action), (AuditRow.resource, resource)):
        if value is not None:
            query = query.where(column == value)
    return session.scalars(query).all()
