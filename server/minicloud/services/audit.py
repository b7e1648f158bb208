"""The audit: who did what, written with the deed."""

from __future__ import annotations

from typing import Any

from minicloud.store import audit as entries
from minicloud.store.audit import AuditRow
from minicloud.store.store import Session

from .authorisation import require_admin
from .context import Actor, Context
from .cursor import check_limit, cut, read_number
from .view.event import AuditView
from .view.page import Page


def note(
    ctx: Context,
    session: Session,
    actor: Actor,
    action: str,
    resource: str,
    *,
    project: str | None = None,
    **details: Any,
) -> None:
    """Write an entry in the transaction of the deed. ``details`` are JSON-compatible and hold no secret."""
    entry = {
        "at": ctx.clock.now(),
        "actor": actor.name,
        "token": actor.token,
        "action": action,
        "resource": resource,
        "project": project,
        "request_id": actor.request_id,
        "details": details,
    }
    entries.add(session, entry)


def list(
    ctx: Context,
    actor: Actor,
    *,
    limit: int = 50,
    cursor: str | None = None,
    action: str | None = None,
    resource: str | None = None,
) -> Page[AuditView]:
    """Entries, the newest first.

    :raises ForbiddenError: unless the actor administers.
    """
    require_admin(actor)
    check_limit(limit)
    with ctx.read() as session:
        rows = entries.page(session, before=read_number(cursor), limit=limit + 1, action=action, resource=resource)
        return cut(rows, limit, _show, lambda row: row.id)


def _show(row: AuditRow) -> AuditView:
    return AuditView(
        id=row.id,
        at=row.at,
        actor=row.actor,
        token=row.token,
        action=row.action,
        resource=row.resource,
        project=row.project,
        request_id=row.request_id,
        details=row.details,
    )
