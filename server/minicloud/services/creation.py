"""Creating VMs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from minicloud_core.model.vm import VmSpec
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.pipeline import Scheduler

from minicloud.store.store import Session

from . import precedence, reserved_room
from .admission import Asked, admit, examine
from .authorisation import project_of, require_write
from .context import Actor, Context, Idempotency
from .ledger import Ledger
from .state import Deed
from .view.vm import VmCreation, show_vm
from .vm_wish import VmWish


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
    reservation: str | None = None,
) -> VmCreation:
    """Place a VM, take its room, and queue the operation that makes it, all in one transaction.

    The same name with the same spec answers the VM that is there.

    :param project: for an actor of all projects; None for its own, or the default one.
    :param dry_run: decide and answer what would happen; write nothing.
    :param claim: the name of a terminal that will carry the operation out itself, for ``lease_seconds`` to begin with.
    :param reservation: the id of one that the project holds: the VM goes where it is, and has its room.
    :raises ConflictError: when the reservation holds nothing any more.
    :raises SpecConflictError: when a VM of that name has another spec; ``details["differences"]`` says where.
    :raises BusyError: when a VM of that name is being deleted.
    :raises InputError: when the image does not exist or the VM is too small for it, or needs more than is reserved.
    :raises QuotaError: when the project may not have it.
    :raises NoCapacityError: when no host can take it, with each host's reasons.
    """
    require_write(actor)
    wish = VmWish(actor, spec, project_of(actor, project), claim, lease_seconds, idempotency, reservation)
    return _rehearse(ctx, wish) if dry_run else ctx.creates.take(wish, partial(admit, ctx))


def _rehearse(ctx: Context, wish: VmWish) -> VmCreation:
    """What would happen."""
    with ctx.fleet.lent() as fleet, ctx.read() as session:
        scheduler = fleet.scheduler(session, ctx.policy.current(), ctx.clock.now())
        ledger = Ledger(session, [wish], now=ctx.clock.now(), lock=False)
        asked = examine(ctx, session, ledger, fleet.names, replace(wish, claim=None, idempotency=None), number=0)
        if isinstance(asked, VmCreation):
            return asked
        decision = _decide(session, scheduler, asked, ctx.clock.now().timestamp())
        if decision.host is None:
            raise decision.no_capacity()
        return rehearsed(Deed.of(ctx, session, wish.actor), asked, decision)


def _decide(session: Session, scheduler: Scheduler, asked: Asked, now: float) -> Decision:
    request = replace(asked.request, vm=None)
    if asked.room is not None:
        return reserved_room.place(scheduler, asked.room, request, now=now)
    return precedence.place(session, scheduler, request, now=now).put_down()


def rehearsed(deed: Deed, asked: Asked, decision: Decision) -> VmCreation:
    """The answer that a wish would have; its VM has neither id nor MACs, which nobody was given."""
    assert decision.host is not None
    view = show_vm(asked.wish.row(deed, asked.image, number=asked.number, host=decision.host))
    nameless = replace(view, id="", uuid="", nics=tuple(replace(nic, mac="") for nic in view.nics))
    return VmCreation(nameless, None, decision.record, created=True)
