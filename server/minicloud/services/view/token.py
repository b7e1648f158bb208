"""Tokens, as services show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TokenView:
    """A token without its secret, which nobody has but its holder."""

    id: str
    name: str
    role: str
    project: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class TokenCreation:
    """``secret`` is the whole bearer token, shown this once; empty on a replay."""

    token: TokenView
    secret: str
    replayed: bool = False
