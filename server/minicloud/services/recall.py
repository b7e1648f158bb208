"""Idempotency keys: the same key with the same body answers what it made the first time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from minicloud_core.model.errors import IdempotencyError, InputError, Problem

from minicloud.store import idempotency as keys
from minicloud.store.idempotency import IdempotencyRow
from minicloud.store.store import Session

from .context import Actor, Context, Idempotency

KEPT: Final = timedelta(hours=24)
KEY_MAX: Final = 255


def look_up(
    ctx: Context, session: Session, actor: Actor, idempotency: Idempotency | None, *, lock: bool = True
) -> Mapping[str, Any] | None:
    """What the key made before; None when it is new, or there is none. Locks the key: call it first of all.

    :param lock: False outside of a transaction that writes, or when it is locked already.
    :raises IdempotencyError: when it came with another body.
    :raises InputError: when it is too long to keep.
    """
    if idempotency is None:
        return None
    if not 1 <= len(idempotency.key) <= KEY_MAX:
        raise InputError([Problem("Idempotency-Key", "not a key of a fitting length", f"1 to {KEY_MAX} characters")])
    scope, key = name_of(actor, idempotency)
    if lock:
        keys.lock(session, scope, key)
    row = keys.find(session, scope, key)
    if row is None or row.expires_at <= ctx.clock.now():
        return None
    if row.fingerprint != idempotency.fingerprint:
        raise IdempotencyError(
            f"The Idempotency-Key {idempotency.key!r} came with another body before",
            hint="send the same body, or another key",
        )
    return row.answer


def remember(
    ctx: Context, session: Session, actor: Actor, idempotency: Idempotency | None, answer: Mapping[str, Any]
) -> None:
    """Keep what a request made, in the transaction that makes it."""
    if idempotency is None:
        return
    now = ctx.clock.now()
    scope, key = name_of(actor, idempotency)
    keys.forget(session, now)
    session.add(
        IdempotencyRow(
            scope=scope,
            key=key,
            fingerprint=idempotency.fingerprint,
            answer=dict(answer),
            expires_at=now + KEPT,
        )
    )


def name_of(actor: Actor, idempotency: Idempotency) -> tuple[str, str]:
    """The scope in which a key is told apart from others, and the key."""
    return f"{actor.project or '*'} {idempotency.route}", idempotency.key
