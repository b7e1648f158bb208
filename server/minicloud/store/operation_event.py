"""The log of each operation: what its runs said, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base, Serial


class OperationEventRow(Base):
    __tablename__ = "operation_events"
    __table_args__ = (Index("ix_operation_events_operation_number", "operation", "number"),)

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    operation: Mapped[str] = mapped_column(ForeignKey("operations.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]


def add(session: Session, entries: Sequence[Mapping[str, Any]]) -> None:
    """Append entries, in order; each names its ``operation``, ``at``, ``kind`` and ``data``."""
    if entries:
        # Nobody asks for the numbers, so all go in one statement.
        session.execute(insert(OperationEventRow), entries)


def after(session: Session, operation: str, *, number: int, limit: int) -> Sequence[OperationEventRow]:
    """Entries of an operation that follow entry ``number``."""
    query = select(OperationEventRow).where(OperationEventRow.operation == operation, OperationEventRow.number > number)
    return session.scalars(query.order_by(OperationEventRow.number).limit(limit)).all()
