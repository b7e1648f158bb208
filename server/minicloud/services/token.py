"""Tokens: who may ask."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime
from typing import Final

from minicloud_core.model.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    Problem,
    UnauthenticatedError,
)
from minicloud_core.model.name import check_name

from minicloud.store import project as projects
from minicloud.store import token as tokens
from minicloud.store.store import Session
from minicloud.store.token import TokenRow

from . import audit, identifier, recall
from .authorisation import require_admin
from .context import ROLES, SYSTEM, Actor, Context, Idempotency
from .cursor import check_limit, cut
from .view.page import Page
from .view.token import TokenCreation, TokenView

__all__ = ["TokenCreation", "TokenView", "authenticate", "create", "initialise", "list", "revoke"]

SECRET_BYTES: Final = 32
_TOKEN: Final = re.compile(r"^mc_([0-9a-z]{10})_([0-9a-f]{64})$")


def create(
    ctx: Context,
    actor: Actor,
    name: str,
    role: str,
    *,
    project: str | None = None,
    expires_at: datetime | None = None,
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> TokenCreation:
    """Make a token. Its secret is in the answer, this once; only its digest is kept.

    :param role: ``admin``, ``member`` or ``viewer``.
    :param project: what it is confined to; needed for a member and a viewer.
    :raises ForbiddenError: unless the actor administers.
    :raises InputError: naming every field that is wrong.
    """
    require_admin(actor)
    _check(ctx, name, role, project, expires_at=expires_at)
    with ctx.write() as session:
        answer = recall.look_up(ctx, session, actor, idempotency)
        if answer is not None:
            return TokenCreation(_show(_need(session, answer["token"])), "", replayed=True)
        if project is not None and projects.find(session, project) is None:
            raise InputError([Problem("project", f"there is no project {project}", "GET /v1/projects lists them")])
        row, secret = _make(ctx, name, role, project, expires_at=expires_at)
        if dry_run:
            return TokenCreation(_show(row), "")
        session.add(row)
        audit.note(ctx, session, actor, "token.create", row.id, project=project, name=name, role=role)
        recall.remember(ctx, session, actor, idempotency, {"token": row.id})
        return TokenCreation(_show(row), secret)


def initialise(ctx: Context) -> TokenCreation:
    """Make the first admin token.

    :raises ConflictError: when there is one that is good.
    """
    with ctx.write() as session:
        if tokens.admin_exists(session, ctx.clock.now()):
            raise ConflictError("There is an admin token already", hint="use it to make others")
        row, secret = _make(ctx, "admin", "admin", None, expires_at=None)
        session.add(row)
        audit.note(ctx, session, SYSTEM, "token.create", row.id, name=row.name, role=row.role)
        return TokenCreation(_show(row), secret)


def list(ctx: Context, actor: Actor, *, limit: int = 50, cursor: str | None = None) -> Page[TokenView]:
    """All tokens, without their secrets.

    :raises ForbiddenError: unless the actor administers.
    """
    require_admin(actor)
    check_limit(limit)
    with ctx.read() as session:
        rows = tokens.page(session, after=cursor, limit=limit + 1)
        return cut(rows, limit, _show, lambda row: row.id)


def revoke(
    ctx: Context, actor: Actor, token: str, *, dry_run: bool = False, idempotency: Idempotency | None = None
) -> TokenView:
    """Make a token worthless; one that is stays so.

    :raises ForbiddenError: unless the actor administers.
    :raises NotFoundError: when there is no token of that id.
    """
    require_admin(actor)
    with ctx.write() as session:
        if recall.look_up(ctx, session, actor, idempotency) is not None:
            return _show(_need(session, token))
        row = _need(session, token)
        if row.revoked_at is None and not dry_run:
            row.revoked_at = ctx.clock.now()
            audit.note(ctx, session, actor, "token.revoke", row.id, project=row.project, name=row.name)
        recall.remember(ctx, session, actor, idempotency, {"token": row.id})
        return _show(row)


def authenticate(ctx: Context, secret: str, request_id: str = "") -> Actor:
    """Who holds a token.

    :param secret: the whole bearer token, ``mc_<id>_<secret>``.
    :raises UnauthenticatedError: when it is none of ours, revoked or expired.
    """
    match = _TOKEN.fullmatch(secret)
    if match is None:
        raise UnauthenticatedError("That is not a token of minicloud", hint="a token looks like mc_ID_SECRET")
    with ctx.read() as session:
        row = tokens.find(session, match.group(1))
    expected = "" if row is None else row.digest
    if row is None or not hmac.compare_digest(_digest(match.group(2)), expected):
        raise UnauthenticatedError("The token is not known", hint="ask an admin for one")
    if row.revoked_at is not None:
        raise UnauthenticatedError(f"Token {row.id} was revoked", hint="ask an admin for another")
    if row.expires_at is not None and row.expires_at <= ctx.clock.now():
        raise UnauthenticatedError(f"Token {row.id} has expired", hint="ask an admin for another")
    return Actor(row.name, row.role, row.project, row.id, request_id)


def _make(
    ctx: Context, name: str, role: str, project: str | None, *, expires_at: datetime | None
) -> tuple[TokenRow, str]:
    token_id, secret = identifier.token_id(ctx.entropy), ctx.entropy.token(SECRET_BYTES).hex()
    row = TokenRow(
        id=token_id,
        name=name,
        digest=_digest(secret),
        role=role,
        project=project,
        created_at=ctx.clock.now(),
        expires_at=expires_at,
    )
    return row, f"mc_{token_id}_{secret}"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(ctx: Context, name: str, role: str, project: str | None, *, expires_at: datetime | None) -> None:
    problems = check_name(name)
    if role not in ROLES:
        problems.append(Problem("role", f"{role!r} is not a role", ", ".join(ROLES)))
    elif role != "admin" and project is None:
        problems.append(Problem("project", f"a {role} needs a project", "a project's name"))
    if expires_at is not None and expires_at.tzinfo is None:
        problems.append(Problem("expires_at", "the moment has no time zone", "2027-01-31T12:00:00Z"))
    elif expires_at is not None and expires_at <= ctx.clock.now():
        problems.append(Problem("expires_at", f"{expires_at.isoformat()} is over", "a moment to come"))
    if problems:
        raise InputError(problems)


def _need(session: Session, token: str) -> TokenRow:
    row = tokens.find(session, token)
    if row is None:
        raise NotFoundError(f"There is no token {token}", hint="list them: GET /v1/tokens")
    return row


def _show(row: TokenRow) -> TokenView:
    return TokenView(
        id=row.id,
        name=row.name,
        role=row.role,
        project=row.project,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
