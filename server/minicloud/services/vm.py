"""VMs: the door to creating, showing and changing them."""

from __future__ import annotations

from collections.abc import Mapping

from minicloud.store import vm as vms

from .authorisation import project_of, resolve_vm
from .change import change
from .context import Actor, Context
from .creation import create
from .cursor import check_limit, cut, read_number
from .view.page import Page
from .view.vm import VmChange, VmCreation, VmView, show_vm

__all__ = ["VmChange", "VmCreation", "VmView", "change", "create", "get", "list"]


def get(ctx: Context, actor: Actor, reference: str, *, project: str | None = None) -> VmView:
    """A VM by id or name.

    :param project: where the name is looked up, for an actor of all projects.
    :raises NotFoundError: when there is none for this actor.
    :raises ConflictError: when VMs of several projects have that name.
    """
    with ctx.read() as session:
        vm = resolve_vm(session, actor, reference, project=project)
        return show_vm(vm)


def list(
    ctx: Context,
    actor: Actor,
    *,
    limit: int = 50,
    cursor: str | None = None,
    name: str | None = None,
    status: str | None = None,
    host: str | None = None,
    labels: Mapping[str, str] | None = None,
    project: str | None = None,
) -> Page[VmView]:
    """VMs that the actor may see, the oldest first. None does not filter; labels must all match.

    :raises NotFoundError: when ``project`` is another's.
    """
    check_limit(limit)
    scope = project_of(actor, project) if project is not None else actor.project
    with ctx.read() as session:
        rows = vms.page(
            session,
            after=read_number(cursor),
            limit=limit + 1,
            project=scope,
            name=name,
            status=status,
            host=host,
            labels=labels or {},
        )
        return cut(rows, limit, show_vm, lambda row: row.number)
