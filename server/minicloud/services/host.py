"""Hosts: registered, kept from new VMs, fenced, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from minicloud_core.model.errors import ConflictError, NotFoundError
from minicloud_core.model.reason import Reason

from minicloud.store import allocation as allocations
from minicloud.store import domain as domain_rows
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import reservation as reservations
from minicloud.store.host import HostRow
from minicloud.store.store import Session

from . import audit, recall, registration
from .authorisation import require_admin
from .command import fence_command
from .context import Actor, Context, Idempotency
from .cursor import check_limit, cut
from .queue import Draft, enqueue
from .state import Deed, emit_host, move_host
from .view.host import DomainView, HostChange, HostSpec, HostSummary, HostView, show_domain, show_host
from .view.page import Page

__all__ = [
    "HostChange",
    "HostSpec",
    "HostSummary",
    "HostView",
    "cordon",
    "domains",
    "fence",
    "get",
    "list",
    "list_all",
    "register",
    "remove",
    "uncordon",
]


def register(
    ctx: Context, actor: Actor, spec: HostSpec, *, dry_run: bool = False, idempotency: Idempotency | None = None
) -> HostChange:
    """Register a host, or update what is known of it. Nothing is placed there before it was observed.

    :raises ForbiddenError: unless the actor administers.
    :raises InputError: naming every field that is wrong.
    """
    require_admin(actor)
    registration.check(spec)
    if dry_run:
        with ctx.read() as session:
            deed = Deed.of(ctx, session, actor)
            row = hosts.find(session, spec.name)
            fresh = row is None
            row = row or _new(deed, spec.name)
            changed = _write(row, registration.columns(spec)) or fresh
            return HostChange(_show(ctx, session, row), changed=changed, created=fresh)
    with ctx.write("observations") as session:
        answer = recall.look_up(ctx, session, actor, idempotency)
        if answer is not None:
            return _recalled(ctx, session, answer)
        deed = Deed.of(ctx, session, actor)
        row = hosts.lock(session, spec.name)
        fresh = row is None
        row = row or _new(deed, spec.name)
        changed = _write(row, registration.columns(spec)) or fresh
        if fresh:
            session.add(row)
        if changed:
            row.generation += 1
            row.updated_at = deed.at
            emit_host(deed, row, "host.registered" if fresh else "host.changed", "", {"address": row.address})
            audit.note(ctx, session, actor, "host.register", row.name, address=row.address)
        session.flush()
        change = HostChange(_show(ctx, session, row), changed=changed, created=fresh)
        return _remember(deed, actor, idempotency, change)


def get(ctx: Context, actor: Actor, name: str) -> HostView | HostSummary:
    """A host, whole for an admin.

    :raises NotFoundError: when there is none of that name.
    """
    with ctx.read() as session:
        row = _need(hosts.find(session, name), name)
        return _show(ctx, session, row) if actor.role == "admin" else _summarise(row)


def list(
    ctx: Context, actor: Actor, *, limit: int = 50, cursor: str | None = None, state: str | None = None
) -> Page[HostView | HostSummary]:
    """Hosts by name, whole for an admin."""
    check_limit(limit)
    with ctx.read() as session:
        rows = hosts.page(session, after=cursor, limit=limit + 1, state=state)
        totals, seats = allocations.totals(session, ctx.clock.now()), allocations.seats(session)

        def show(row: HostRow) -> HostView | HostSummary:
            return (
                show_host(row, totals.get(row.name), seats.get(row.name)) if actor.role == "admin" else _summarise(row)
            )

        return cut(rows, limit, show, lambda row: row.name)


def list_all(ctx: Context, actor: Actor) -> tuple[HostView, ...]:
    """Every host, for those that watch them.

    :raises ForbiddenError: unless the actor administers.
    """
    require_admin(actor)
    with ctx.read() as session:
        totals, seats = allocations.totals(session, ctx.clock.now()), allocations.seats(session)
        return tuple(show_host(row, totals.get(row.name), seats.get(row.name)) for row in hosts.everything(session))


def domains(ctx: Context, actor: Actor, name: str) -> tuple[DomainView, ...]:
    """All domains that were last seen on a host, others' among them.

    :raises ForbiddenError: unless the actor administers.
    :raises NotFoundError: when there is no such host.
    """
    require_admin(actor)
    with ctx.read() as session:
        _need(hosts.find(session, name), name)
        return tuple(show_domain(row) for row in domain_rows.on_host(session, name))


def cordon(
    ctx: Context,
    actor: Actor,
    name: str,
    *,
    reason: str = "",
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> HostChange:
    """Keep new VMs off a host; those there stay.

    :raises ForbiddenError: unless the actor administers.
    :raises NotFoundError: when there is no such host.
    """
    return _flag(ctx, actor, name, cordoned=True, reason=reason, dry_run=dry_run, idempotency=idempotency)


def uncordon(
    ctx: Context,
    actor: Actor,
    name: str,
    *,
    reason: str = "",
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> HostChange:
    """Let new VMs onto a host again; see :func:`cordon`."""
    return _flag(ctx, actor, name, cordoned=False, reason=reason, dry_run=dry_run, idempotency=idempotency)


def remove(
    ctx: Context, actor: Actor, name: str, *, dry_run: bool = False, idempotency: Idempotency | None = None
) -> None:
    """Forget a host.

    :raises ForbiddenError: unless the actor administers.
    :raises NotFoundError: when there is no such host.
    :raises ConflictError: while VMs have room there, reservations hold some, or operations are open for it.
    """
    require_admin(actor)
    with ctx.write("observations") as session:
        if recall.look_up(ctx, session, actor, idempotency) is not None:
            return
        row = _need(hosts.lock(session, name), name)
        _check_empty(session, name, ctx.clock.now())
        if dry_run:
            return
        deed = Deed.of(ctx, session, actor)
        domain_rows.forget(session, name)
        session.delete(row)
        emit_host(deed, row, "host.removed", "", {})
        audit.note(ctx, session, actor, "host.remove", name)
        recall.remember(ctx, session, actor, idempotency, {"host": name})


def fence(
    ctx: Context,
    actor: Actor,
    name: str,
    *,
    reason: str | Reason = "",
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> HostChange:
    """Have a host's power cut by its fence agent. A host that is down, or being fenced, is left at that.

    :raises ForbiddenError: unless the actor administers.
    :raises NotFoundError: when there is no such host.
    :raises ConflictError: when it has no fence agent.
    """
    require_admin(actor)
    with ctx.write("operations") as session:
        answer = recall.look_up(ctx, session, actor, idempotency)
        if answer is not None:
            return _recalled(ctx, session, answer)
        row = _need(hosts.lock(session, name), name)
        under_way = operations.open_of_kind(session, "host.fence", host=name)
        if row.state == "down" or under_way:
            running = under_way[0].id if under_way else None
            return HostChange(_show(ctx, session, row), changed=False, operation=running)
        if row.fence is None:
            raise ConflictError(
                f"Host {name} has no fence agent: nobody can prove its power off",
                hint="register it again with fence: {agent, options}",
            )
        if dry_run:
            return HostChange(_show(ctx, session, row), changed=True)
        deed = Deed.of(ctx, session, actor)
        why = reason if isinstance(reason, Reason) else Reason("host.fence", reason or f"asked for by {actor.name}")
        if row.state not in ("suspect", "fencing"):
            move_host(deed, row, "suspect", why.message)
        move_host(deed, row, "fencing", why.message)
        command = fence_command(name, str(row.fence["agent"]))
        operation = enqueue(deed, Draft("host.fence", name, command, exclusive=False, reason=why))
        audit.note(ctx, session, actor, "host.fence", name, operation=operation.id, reason=why.message)
        change = HostChange(_show(ctx, session, row), changed=True, operation=operation.id)
        return _remember(deed, actor, idempotency, change)


def _flag(
    ctx: Context,
    actor: Actor,
    name: str,
    *,
    cordoned: bool,
    reason: str,
    dry_run: bool,
    idempotency: Idempotency | None,
) -> HostChange:
    require_admin(actor)
    with ctx.write() as session:
        answer = recall.look_up(ctx, session, actor, idempotency)
        if answer is not None:
            return _recalled(ctx, session, answer)
        row = _need(hosts.lock(session, name), name)
        changed = row.cordoned != cordoned
        if changed and not dry_run:
            deed = Deed.of(ctx, session, actor)
            row.cordoned, row.updated_at = cordoned, deed.at
            row.generation += 1
            verb = "cordon" if cordoned else "uncordon"
            emit_host(deed, row, f"host.{verb}", reason, {"cordoned": cordoned})
            audit.note(ctx, session, actor, f"host.{verb}", name, reason=reason)
        return _remember(
            Deed.of(ctx, session, actor), actor, idempotency, HostChange(_show(ctx, session, row), changed=changed)
        )


def _check_empty(session: Session, name: str, now: datetime) -> None:
    living = [row.vm for row in allocations.on_host(session, name)]
    if living:
        raise ConflictError(
            f"Host {name} cannot be removed: {', '.join(living)} live there",
            hint="migrate or delete them first",
            details={"vms": living},
        )
    held = reservations.held_on(session, name, now)
    if held:
        raise ConflictError(
            f"Host {name} cannot be removed: {', '.join(held)} hold room there",
            hint="release them, or wait until their time is over",
            details={"reservations": [*held]},
        )
    busy = [row.id for row in operations.open_on_host(session, name)]
    if busy:
        raise ConflictError(
            f"Host {name} cannot be removed: {', '.join(busy)} are open",
            hint="wait for them, or cancel them",
            details={"operations": busy},
        )


def _new(deed: Deed, name: str) -> HostRow:
    return HostRow(
        name=name,
        state="registering",
        state_reason="not observed yet",
        state_at=deed.at,
        cordoned=False,
        generation=0,
        labels={},
        fence=None,
        cpu=0,
        ram_mib=0,
        disk_bytes=0,
        architecture="",
        accelerator="",
        versions={},
        silence_reason="",
        created_at=deed.at,
        updated_at=deed.at,
    )


def _write(row: HostRow, columns: Mapping[str, Any]) -> bool:
    changed = False
    for column, value in columns.items():
        if getattr(row, column) != value:
            setattr(row, column, value)
            changed = True
    return changed


def _need(row: HostRow | None, name: str) -> HostRow:
    if row is None:
        raise NotFoundError(f"There is no host {name}", hint="list them: GET /v1/hosts")
    return row


def _show(ctx: Context, session: Session, row: HostRow) -> HostView:
    totals, seats = allocations.totals(session, ctx.clock.now()), allocations.seats(session)
    return show_host(row, totals.get(row.name), seats.get(row.name))


def _summarise(row: HostRow) -> HostSummary:
    return HostSummary(row.name, row.state, row.cordoned)


def _remember(deed: Deed, actor: Actor, idempotency: Idempotency | None, change: HostChange) -> HostChange:
    answer = {
        "host": change.host.name,
        "changed": change.changed,
        "created": change.created,
        "operation": change.operation,
    }
    recall.remember(deed.ctx, deed.session, actor, idempotency, answer)
    return change


def _recalled(ctx: Context, session: Session, answer: Mapping[str, Any]) -> HostChange:
    row = _need(hosts.find(session, answer["host"]), answer["host"])
    return HostChange(
        _show(ctx, session, row),
        changed=bool(answer["changed"]),
        created=bool(answer["created"]),
        operation=answer["operation"],
        replayed=True,
    )
