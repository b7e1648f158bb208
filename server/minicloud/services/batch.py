"""Creating many VMs at once: chosen and ordered so that more of them fit, groups whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from minicloud_core.model.batch import BatchSpec
from minicloud_core.model.errors import BatchError, MinicloudError, read_error

from minicloud.store import counter

from . import admission as admissions
from . import batch_decision, recall
from .admission import Admission, Admitted
from .authorisation import project_of, require_write
from .context import Actor, Context, Idempotency
from .creation import rehearsed
from .placement_record import Refusal
from .state import Deed
from .view.batch import BatchCreation, BatchItem
from .view.vm import VmCreation
from .vm_wish import VmWish


def create(
    ctx: Context,
    actor: Actor,
    batch: BatchSpec,
    *,
    project: str | None = None,
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> BatchCreation:
    """Place VMs, take their room, and queue the operations that make them, all in one transaction.

    A VM that is there already with the same spec is answered as it is; of its group, the others are placed beside it.
    The quota counts the VMs in the order in which they are given, whether or not they find a host.

    :param project: for an actor of all projects; None for its own, or the default one.
    :param dry_run: decide and answer what would happen; write nothing.
    :raises BatchError: when none of it may be, or not all of one that is wanted whole; ``details["items"]`` says of
        each VM why, or where it would have gone.
    :raises NotFoundError: when there is no such project for the actor.
    """
    require_write(actor)
    order = _Order(actor, batch, project_of(actor, project), idempotency)
    if dry_run:
        made = admissions.rehearse(ctx, order.wishes(), partial(_rehearse, order=order))
    else:
        key = None if idempotency is None else (actor, idempotency)
        made = admissions.together(ctx, order.wishes(), partial(_make, order=order), idempotency=key)
    if not order.accepts(made):
        raise _nothing_made(made)
    return made


@dataclass(frozen=True)
class _Order:
    """A batch as it was asked for."""

    actor: Actor
    batch: BatchSpec
    project: str
    idempotency: Idempotency | None

    def wishes(self) -> tuple[VmWish, ...]:
        return tuple(VmWish(self.actor, spec, self.project) for spec in self.batch.vms)

    def accepts(self, made: BatchCreation) -> bool:
        """Whether that much of it is worth anything."""
        return made.refused == 0 if self.batch.whole else made.refused < len(made.items)

    def items(self, answers: Mapping[str, VmCreation | MinicloudError]) -> BatchCreation:
        """The answers, in the order in which the VMs were given."""
        return BatchCreation(tuple(BatchItem.of(spec.name, answers[spec.name]) for spec in self.batch.vms))


def _make(admission: Admission, order: _Order) -> BatchCreation:
    session = admission.session
    seen = recall.look_up(admission.ctx, session, order.actor, order.idempotency, lock=False)
    if seen is not None:
        return _recalled(admission, seen)
    admission.ledger.project(order.project)
    many = len(order.batch.vms)
    first = counter.next_numbers(session, "vm", many)
    decided = batch_decision.decide(admission, order.batch, order.wishes(), first=first)
    admitted = [one for one in decided.values() if isinstance(one, Admitted)]
    for one in admitted:
        admission.settle(one.asked, one.host)
    # Later: by what is asked for lately, NUMA nodes would be dealt out otherwise than was decided.
    for one in admitted:
        admission.scheduler.fleet.mix.note(one.asked.request)
    used = max((one.asked.number + 1 - first for one in admitted), default=0)
    counter.give_back(session, "vm", many - used)
    made = order.items(dict(zip(decided, admission.write([*decided.values()]), strict=True)))
    if order.accepts(made):
        recall.remember(admission.ctx, session, order.actor, order.idempotency, _memory(made))
    return made


def _rehearse(admission: Admission, order: _Order) -> BatchCreation:
    admission.ledger.project(order.project)
    # Under the numbers that they would have, so that nothing is decided otherwise.
    first = counter.last(admission.session, "vm") + 1
    decided = batch_decision.decide(admission, order.batch, order.wishes(), first=first)
    for one in decided.values():
        if isinstance(one, Admitted):
            admission.fleet.names.forget(one.asked.vm)
    deed = Deed.of(admission.ctx, admission.session, order.actor)
    return order.items({name: _rehearsed(deed, one) for name, one in decided.items()})


def _rehearsed(deed: Deed, one: Admitted | Refusal | VmCreation | MinicloudError) -> VmCreation | MinicloudError:
    if isinstance(one, Admitted):
        return rehearsed(deed, one.asked, one.decision)
    return one.error if isinstance(one, Refusal) else one


def _memory(made: BatchCreation) -> dict[str, Any]:
    """What is kept under an Idempotency-Key. Why a host refused is not: it stands in the record of placements."""
    return {"items": [_remembered(item) for item in made.items]}


def _remembered(item: BatchItem) -> dict[str, Any]:
    if item.creation is not None:
        return {"name": item.name, **admissions.memory(item.creation)}
    assert item.error is not None
    said = item.error.to_mapping()
    return {"name": item.name, "error": {key: value for key, value in said.items() if key != "details"}}


def _recalled(admission: Admission, seen: Mapping[str, Any]) -> BatchCreation:
    items = (
        BatchItem.of(
            kept["name"],
            read_error(kept["error"]) if "error" in kept else admissions.replayed(admission.session, kept),
        )
        for kept in seen["items"]
    )
    return BatchCreation(tuple(items), replayed=True)


def _nothing_made(made: BatchCreation) -> BatchError:
    """Why nothing was made, VM by VM."""
    errors = [(item.name, item.error) for item in made.items if item.error is not None]
    own = [(name, error) for name, error in errors if not isinstance(error, BatchError)]
    told = "; ".join(f"{name}: {error.title}" for name, error in own or errors)
    return BatchError(
        f"{len(own)} of {len(made.items)} VMs may not be made, so none is: {told}",
        hint=next((error.hint for _name, error in own if error.hint), ""),
        details={"items": [_told(item) for item in made.items]},
    )


def _told(item: BatchItem) -> dict[str, Any]:
    if item.error is not None:
        return {"name": item.name, "error": item.error.to_mapping()}
    assert item.creation is not None
    return {"name": item.name, "host": item.creation.vm.host}
