"""Creating VMs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from minicloud_core.model.vm import VmSpec

from minicloud.store import image as images
from minicloud.store import project as projects
from minicloud.store import vm as vms

from . import allocation, quota
from .admission import admit, answer_existing
from .authorisation import project_of, require_write
from .context import Actor, Context, Idempotency
from .ledger import project_of as project_row
from .state import Deed
from .view.vm import VmCreation, show_vm
from .vm_wish import VmWish, image_of


def create(
    ctx: Context,
    actor: Actor,
    spec: VmSpec,
    *,
    project: str | None = None,
    dry_run: bool = False,
    claim: str | None = None,
    lease_seconds: float = 60,
    idempotency: Idempotency | None = None,
) -> VmCreation:
    """Place a VM, take its room, and queue the operation that makes it, all in one transaction.

    The same name with the same spec answers the VM that is there.

    :param project: for an actor of all projects; None for its own, or the default one.
    :param dry_run: decide and answer what would happen; write nothing.
    :param claim: the name of a terminal that will carry the operation out itself, for ``lease_seconds`` to begin with.
    :raises SpecConflictError: when a VM of that name has another spec; ``details["differences"]`` says where.
    :raises BusyError: when a VM of that name is being deleted.
    :raises InputError: when the image does not exist or the VM is too small for it.
    :raises QuotaError: when the project may not have it.
    :raises NoCapacityError: when no host can take it, with each host's reasons.
    """
    require_write(actor)
    wish = VmWish(actor, spec, project_of(actor, project), claim, lease_seconds, idempotency)
    return _rehearse(ctx, wish) if dry_run else ctx.creates.take(wish, partial(admit, ctx))


def _rehearse(ctx: Context, wish: VmWish) -> VmCreation:
    """What would happen."""
    with ctx.read() as session:
        project = project_row(projects.find(session, wish.project), wish.project)
        image = image_of(session, wish.spec, images.find(session, wish.spec.image))
        existing = vms.by_name(session, wish.project, wish.spec.name)
        if existing is not None:
            return answer_existing(ctx, session, replace(wish, claim=None), existing)
        used = vms.usage(session, [project.name]).get(project.name, (0, 0, 0, 0))
        quota.check(project, used, wish.amounts(image))
        decision = allocation.rehearse(ctx, session, wish, image)
        if decision.host is None:
            raise decision.no_capacity()
        row = wish.row(Deed.of(ctx, session, wish.actor), image, number=0, host=decision.host)
        view = show_vm(row)
        nameless = replace(view, id="", uuid="", nics=tuple(replace(nic, mac="") for nic in view.nics))
        return VmCreation(nameless, None, decision.record, created=True)
