"""Projects and their quotas."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from minicloud_core.model.errors import ConflictError, InputError, NotFoundError, Problem
from minicloud_core.model.name import check_name
from minicloud_core.model.scheduling import PRIORITY_MAX, PRIORITY_MIN

from minicloud.store import project as projects
from minicloud.store.project import ProjectRow
from minicloud.store.store import Session

from . import audit, recall
from . import usage as usages
from .authorisation import may_see, require_admin
from .context import Actor, Context, Idempotency
from .cursor import check_limit, cut
from .view.page import Page
from .view.project import ProjectView, Quota, Usage

__all__ = ["ProjectView", "Quota", "Usage", "create", "get", "list", "set_quota"]

# The least and the most that a limit may be.
_ANY: Final = (0, float("inf"), "0 or more")
_BOUNDS: Final = {"priority_max": (PRIORITY_MIN, PRIORITY_MAX, f"{PRIORITY_MIN} to {PRIORITY_MAX}")}


def create(
    ctx: Context,
    actor: Actor,
    name: str,
    quota: Quota,
    *,
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> ProjectView:
    """Make a project.

    :raises ForbiddenError: unless the actor administers.
    :raises InputError: when the name or a limit is none.
    :raises ConflictError: when there is one of that name.
    """
    require_admin(actor)
    _check(name, quota)
    with ctx.write() as session:
        if recall.look_up(ctx, session, actor, idempotency) is not None:
            return _show(ctx, session, _need(session, name))
        if projects.find(session, name) is not None:
            raise ConflictError(f"There is a project {name} already", hint="change its quota instead")
        now = ctx.clock.now()
        row = ProjectRow(name=name, created_at=now, updated_at=now)
        _write(row, quota)
        if not dry_run:
            session.add(row)
            audit.note(ctx, session, actor, "project.create", name, project=name, **asdict(quota))
            recall.remember(ctx, session, actor, idempotency, {"project": name})
        return _show(ctx, session, row)


def get(ctx: Context, actor: Actor, name: str) -> ProjectView:
    """A project with what it uses.

    :raises NotFoundError: when there is none of that name for the actor.
    """
    with ctx.read() as session:
        if not may_see(actor, name):
            raise NotFoundError(f"There is no project {name}")
        return _show(ctx, session, _need(session, name))


def list(ctx: Context, actor: Actor, *, limit: int = 50, cursor: str | None = None) -> Page[ProjectView]:
    """Projects that the actor may see, by name."""
    check_limit(limit)
    with ctx.read() as session:
        if actor.project is not None:
            return Page((_show(ctx, session, _need(session, actor.project)),))
        rows = projects.page(session, after=cursor, limit=limit + 1)
        usage = usages.of_projects(session, [row.name for row in rows], ctx.clock.now())
        return cut(rows, limit, lambda row: _view(row, usage.get(row.name)), lambda row: row.name)


def set_quota(
    ctx: Context,
    actor: Actor,
    name: str,
    quota: Quota,
    *,
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> ProjectView:
    """Set all of a project's limits. Those that it exceeds already only refuse more.

    :raises ForbiddenError: unless the actor administers.
    :raises NotFoundError: when there is no such project.
    :raises InputError: when a limit is none.
    """
    require_admin(actor)
    _check(name, quota)
    with ctx.write() as session:
        if recall.look_up(ctx, session, actor, idempotency) is not None:
            return _show(ctx, session, _need(session, name))
        row = projects.lock(session, name) or _need(session, name)
        if dry_run:
            session.expunge(row)
        _write(row, quota)
        row.updated_at = ctx.clock.now()
        if not dry_run:
            audit.note(ctx, session, actor, "project.set_quota", name, project=name, **asdict(quota))
            recall.remember(ctx, session, actor, idempotency, {"project": name})
        return _show(ctx, session, row)


def _check(name: str, quota: Quota) -> None:
    problems = check_name(name)
    for field, limit in asdict(quota).items():
        least, most, allowed = _BOUNDS.get(field, _ANY)
        if limit is not None and not least <= limit <= most:
            problems.append(Problem(f"quota.{field}", f"{limit} is not a limit", f"{allowed}, or null for none"))
    if problems:
        raise InputError(problems)


def _need(session: Session, name: str) -> ProjectRow:
    row = projects.find(session, name)
    if row is None:
        raise NotFoundError(f"There is no project {name}", hint="list them: GET /v1/projects")
    return row


def _write(row: ProjectRow, quota: Quota) -> None:
    row.vm_limit, row.cpu_limit = quota.vms, quota.cpu
    row.ram_mib_limit, row.disk_bytes_limit = quota.ram_mib, quota.disk_bytes
    row.priority_max = quota.priority_max


def _show(ctx: Context, session: Session, row: ProjectRow) -> ProjectView:
    return _view(row, usages.of_projects(session, [row.name], ctx.clock.now()).get(row.name))


def _view(row: ProjectRow, used: tuple[int, int, int, int] | None) -> ProjectView:
    return ProjectView(
        name=row.name,
        quota=Quota(row.vm_limit, row.cpu_limit, row.ram_mib_limit, row.disk_bytes_limit, row.priority_max),
        usage=Usage(*(used or (0, 0, 0, 0))),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
