"""Tokens: digests of secrets, never the secrets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class TokenRow(Base):
    """A bearer token. ``digest`` is the SHA-256 of its secret, in hexadecimal."""

    __tablename__ = "tokens"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member', 'viewer')", name="role"),
        CheckConstraint("role = 'admin' OR project IS NOT NULL", name="scope"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    digest: Mapped[str]
    role: Mapped[str]
    project: Mapped[str | None] = mapped_column(ForeignKey("projects.name"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


def find(session: Session, token_id: str) -> TokenRow | None:
    return session.get(TokenRow, token_id)


def admin_exists(session: Session, now: datetime) -> bool:
    """Whether some token could still administer."""
    query = select(TokenRow.id).where(
        TokenRow.role == "admin",
        TokenRow.revoked_at.is_(None),
        TokenRow.expires_at.is_(None) | (TokenRow.expires_at > now),
    )
    return session.scalars(query.limit(1)).first() is not None


def page(session: Session, *, after: str | None, limit: int) -> Sequence[TokenRow]:
    query = select(TokenRow).order_by(TokenRow.id).limit(limit)
    return session.scalars(query if after is None else query.where(TokenRow.id > after)).all()
