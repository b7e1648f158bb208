"""Who may do what. What is not the caller's to see does not exist for it."""

from __future__ import annotations

from minicloud_core.model.errors import ConflictError, ForbiddenError, NotFoundError

from minicloud.store import vm as vms
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from .context import Actor

DEFAULT_PROJECT = "default"


def require_admin(actor: Actor) -> None:
    """:raises ForbiddenError: unless the actor administers."""
    if actor.role != "admin":
        raise ForbiddenError(f"{actor.name} is a {actor.role}; this needs an admin", hint="use an admin's token")


def require_write(actor: Actor) -> None:
    """:raises ForbiddenError: when the actor may only look."""
    if actor.role == "viewer":
        raise ForbiddenError(f"{actor.name} may look but not change anything", hint="use a member's or admin's token")


def scope(actor: Actor) -> str | None:
    """The project that the actor is confined to; None for all."""
    return actor.project


def project_of(actor: Actor, project: str | None) -> str:
    """The project that a request is about: the one it names, else the actor's, else the default one.

    :raises NotFoundError: when it names another's.
    """
    if actor.project is not None and project not in (None, actor.project):
        raise NotFoundError(f"There is no project {project}", hint=f"this token works in {actor.project}")
    return project or actor.project or DEFAULT_PROJECT


def may_see(actor: Actor, project: str | None) -> bool:
    """Whether something of a project is the actor's to see; what belongs to no project is for admins of all."""
    return actor.project is None or actor.project == project


def resolve_vm(session: Session, actor: Actor, reference: str, *, project: str | None = None) -> VmRow:
    """Find a VM by id or name among those the actor may see.

    :param project: look there only; None for wherever the actor may look.
    :raises NotFoundError: when there is none.
    :raises ConflictError: when VMs of several projects have that name.
    """
    rows = vms.by_reference(session, reference, scope(actor) if project is None else project_of(actor, project))
    exact = [row for row in rows if row.id == reference] or rows
    if not exact:
        raise NotFoundError(f"There is no VM {reference}", hint="list them: GET /v1/vms")
    if len(exact) > 1:
        raise ConflictError(
            f"VMs of several projects are called {reference}",
            hint="name the project, or say which by id: " + ", ".join(row.id for row in exact),
        )
    return exact[0]
