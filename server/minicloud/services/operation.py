"""Operations: the door to showing, cancelling and carrying them out."""

from __future__ import annotations

import time

from minicloud_core.model.errors import NotFoundError
from minicloud_core.model.operation import ENDED

from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import operation_event as entries
from minicloud.store import vm as vms
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session

from . import audit, recall, withdrawal
from .authorisation import may_see, require_admin, require_write, resolve_vm, scope
from .completion import expire, finish, finish_all, report
from .context import Actor, Context, Idempotency
from .cursor import check_limit, cut, read_number
from .lease import append, cancelled, claim, lease, release, renew, started
from .state import Deed
from .view.operation import (
    Claim,
    Connection,
    Entry,
    OperationEventView,
    OperationView,
    Outcome,
    Renewal,
    show_operation,
    show_operation_event,
)
from .view.page import Page

__all__ = [
    "Claim",
    "Connection",
    "Entry",
    "OperationEventView",
    "OperationView",
    "Outcome",
    "Renewal",
    "append",
    "cancel",
    "cancelled",
    "claim",
    "events",
    "expire",
    "finish",
    "finish_all",
    "get",
    "lease",
    "list",
    "release",
    "renew",
    "report",
    "started",
    "wait",
]

# A hint may be lost, and another process may have done the work: look again at least this often.
GLANCE_SECONDS = 1.0


def get(ctx: Context, actor: Actor, operation: str) -> OperationView:
    """:raises NotFoundError: when there is no such operation, or it is not the actor's to see."""
    with ctx.read() as session:
        return show_operation(_find(session, actor, operation))


def list(
    ctx: Context,
    actor: Actor,
    *,
    limit: int = 50,
    cursor: str | None = None,
    state: str | None = None,
    kind: str | None = None,
    vm: str | None = None,
    host: str | None = None,
) -> Page[OperationView]:
    """Operations that the actor may see, the newest first. None does not filter.

    :param vm: a VM's id, deleted or not, or the name of one that is not.
    """
    check_limit(limit)
    with ctx.read() as session:
        known = None if vm is None else vms.find(session, vm)
        vm_id = known.id if known is not None else (None if vm is None else resolve_vm(session, actor, vm).id)
        rows = operations.page(
            session,
            before=read_number(cursor),
            limit=limit + 1,
            project=scope(actor),
            state=state,
            kind=kind,
            vm=vm_id,
            host=host,
        )
        return cut(rows, limit, show_operation, lambda row: row.number)


def events(
    ctx: Context, actor: Actor, operation: str, *, after: int = 0, limit: int = 500
) -> tuple[OperationEventView, ...]:
    """An operation's log.

    :param after: the number of the last entry that is known.
    :raises NotFoundError: when there is no such operation, or it is not the actor's to see.
    """
    with ctx.read() as session:
        row = _find(session, actor, operation)
        found = entries.after(session, row.id, number=after, limit=check_limit(limit))
        return tuple(show_operation_event(entry) for entry in found)


def cancel(
    ctx: Context,
    actor: Actor,
    operation: str,
    *,
    reason: str = "",
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> OperationView:
    """Cancel an operation: at once while it is queued, else by asking its run to stop.

    :raises NotFoundError: when there is no such operation, or it is not the actor's to see.
    :raises ConflictError: when it has ended, deletes a VM, or stops one to make room for another.
    """
    require_write(actor)
    with ctx.read() as session:
        row = _find(session, actor, operation)
        if row.project is None:
            require_admin(actor)
        if dry_run:
            withdrawal.check(row)
            withdrawal.check_own(row, None if row.vm is None else vms.find(session, row.vm))
            return show_operation(row)
        places = (row.host if row.kind == "host.fence" else None, row.vm, row.id)
    # Whoever was to make room for what is cancelled is let go by the reconciler.
    with ctx.write("operations", "observations") as session:
        if recall.look_up(ctx, session, actor, idempotency) is not None:
            return show_operation(_find(session, actor, operation))
        row = _cancel(Deed.of(ctx, session, actor), places, reason or f"cancelled by {actor.name}")
        audit.note(ctx, session, actor, "operation.cancel", row.id, project=row.project, kind=row.kind)
        recall.remember(ctx, session, actor, idempotency, {"operation": row.id})
        return show_operation(row)


def wait(ctx: Context, actor: Actor, operation: str, timeout: float) -> OperationView:
    """Wait until an operation has ended, at most ``timeout`` seconds; blocks its thread.

    :raises NotFoundError: when there is no such operation, or it is not the actor's to see.
    """
    # How long to wait is about this process, not about the state's clock.
    end = time.monotonic() + timeout
    while True:
        mark = ctx.hints.mark("events")
        view = get(ctx, actor, operation)
        left = end - time.monotonic()
        if view.state in ENDED or left <= 0:
            return view
        ctx.hints.wait("events", min(left, GLANCE_SECONDS), since=mark)


def _cancel(deed: Deed, places: tuple[str | None, str | None, str], reason: str) -> OperationRow:
    host, vm_id, operation = places
    if host is not None:
        hosts.lock(deed.session, host)
    vm = None if vm_id is None else vms.lock(deed.session, vm_id)
    row = operations.lock(deed.session, operation)
    assert row is not None
    withdrawal.check_own(row, vm)
    withdrawal.withdraw(deed, row, vm, reason)
    return row


def _find(session: Session, actor: Actor, operation: str) -> OperationRow:
    row = operations.find(session, operation)
    if row is None or not may_see(actor, row.project):
        raise NotFoundError(f"There is no operation {operation}", hint="list them: GET /v1/operations")
    return row
