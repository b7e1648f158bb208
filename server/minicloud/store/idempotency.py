"""Idempotency keys: which request made what."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class IdempotencyRow(Base):
    """A key in its scope, the fingerprint of the body it came with, and what the request made."""

    __tablename__ = "idempotency"

    scope: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str]
    answer: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime] = mapped_column(index=True)


def lock(session: Session, scope: str, key: str) -> None:
    """Make requests with one key wait for each other. The first lock of a transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"{scope} {key}"})


def find(session: Session, scope: str, key: str) -> IdempotencyRow | None:
    return session.get(IdempotencyRow, (scope, key))


def forget(session: Session, now: datetime) -> None:
    """Drop keys that are too old to matter."""
    session.execute(
        delete(IdempotencyRow).where(IdempotencyRow.expires_at <= now).execution_options(synchronize_session="fetch")
    )
