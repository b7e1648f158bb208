"""Admitting creates: those that wait for one another are decided one after the other, and written together.

On SQLite everybody who writes waits in one line. With a transaction for each create, 50 a second kept a core busy with
the same questions about the same project, image and hosts; now the longer the line, the less each costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import Any, TypeVar

from minicloud_core.model.errors import BusyError, ConflictError, MinicloudError, SpecConflictError
from minicloud_core.model.vm import VmSpec
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.request import Request

from minicloud.store import counter
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import placement as placements
from minicloud.store import vm as vms
from minicloud.store.image import ImageRow
from minicloud.store.operation import OperationRow
from minicloud.store.reservation import ReservationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import (
    allocation,
    audit,
    lease,
    placement_record,
    precedence,
    preemption,
    priority,
    recall,
    reserved_room,
)
from .allocation import OvertakenError
from .command import create_command
from .context import SYSTEM, Actor, Context, Idempotency
from .ledger import Ledger
from .placement_record import Refusal
from .queue import Draft, announce, draft_row
from .standing_fleet import StandingFleet
from .state import Deed, begin_vm
from .view.operation import Claim, show_operation
from .view.vm import VmCreation, show_vm
from .vm_names import VmNames
from .vm_wish import VmWish, vm_id

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Asked:
    """A wish that may be: what it asks of a host, and the number that its VM will have.

    :param room: the reservation whose room it is to have; None for any room.
    """

    wish: VmWish
    image: ImageRow
    number: int
    request: Request
    room: ReservationRow | None = None

    @property
    def vm(self) -> str:
        return vm_id(self.number)


@dataclass(frozen=True)
class Waits:
    """What is so of a wish for which others have to leave.

    :param after: the operations that stop them.
    :param beside: what it takes of its host beside what they hold.
    """

    after: tuple[str, ...]
    beside: Request


@dataclass(frozen=True)
class Admitted:
    """A wish that has its host; ``waits`` until others have left it."""

    asked: Asked
    host: str
    decision: Decision
    waits: Waits | None = None

    @classmethod
    def of(cls, asked: Asked, decision: Decision) -> Admitted:
        """To be made while the fleet is as it was decided by: to find back to that moment costs a copy of all of it."""
        assert decision.host is not None
        return cls(asked, decision.host, decision.put_down())


# What comes of a wish: a place, none, the answer that it had before, or why it may not be.
Decided = Admitted | Refusal | VmCreation | MinicloudError


def admit(ctx: Context, wishes: Sequence[VmWish]) -> Sequence[VmCreation | MinicloudError]:
    """Decide and write creates in one transaction, as if one came after the other.

    :returns: for each its answer, or why it may not be.
    """
    answers = together(ctx, wishes, lambda admission: admission.write(_one_by_one(admission, wishes)))
    begun = [one.operation for one in answers if isinstance(one, VmCreation) and one.operation is not None]
    if any(operation.state == "waiting" for operation in begun):
        # Whoever is to make room may be off already.
        ctx.hints.wake("observations")
    return answers


def together(
    ctx: Context,
    wishes: Sequence[VmWish],
    work: Callable[[Admission], Answer],
    *,
    idempotency: tuple[Actor, Idempotency] | None = None,
    wakes: Collection[str] = ("operations",),
) -> Answer:
    """Decide and write creates in one transaction, while nobody else places.

    :param work: does so. It is done again, in another transaction, where another service came between.
    :param idempotency: a key that counts for all of them, and whose it is.
    :param wakes: the topics of those who have something to do then.
    """
    keys = () if idempotency is None else (recall.name_of(*idempotency),)
    try:
        return _together(ctx, wishes, work, keys, alone=False, wakes=wakes)
    except OvertakenError:
        # A crowd may delay creates, but not starve them.
        return _together(ctx, wishes, work, keys, alone=True, wakes=wakes)


def _together(
    ctx: Context,
    wishes: Sequence[VmWish],
    work: Callable[[Admission], Answer],
    keys: Collection[tuple[str, str]],
    *,
    alone: bool,
    wakes: Collection[str],
) -> Answer:
    """:param alone: lock every host first."""
    with ctx.fleet.lent(to_take=True) as fleet, ctx.write(*wakes) as session:
        ledger = Ledger(session, wishes, now=ctx.clock.now(), shared=keys)
        if alone:
            hosts.lock_all(session)
        scheduler = fleet.scheduler(session, ctx.policy.current(), ctx.clock.now())
        admission = Admission(ctx, session, ledger, fleet, scheduler, alone=alone)
        return work(admission)


def rehearse(ctx: Context, wishes: Sequence[VmWish], work: Callable[[Admission], Answer]) -> Answer:
    """The same, to look alone: nothing is locked and nothing written.

    :param work: decides, and leaves the fleet as it was.
    """
    # Should it fail half-way, the fleet is not fit for use.
    with ctx.fleet.lent(to_take=True) as fleet, ctx.read() as session:
        ledger = Ledger(session, wishes, now=ctx.clock.now(), lock=False)
        scheduler = fleet.scheduler(session, ctx.policy.current(), ctx.clock.now())
        return work(Admission(ctx, session, ledger, fleet, scheduler, alone=False))


@dataclass
class Admission:
    """A transaction in which creates are decided and written, and the fleet that is lent to it.

    :param alone: whether every host is locked, so that nobody else takes room meanwhile.
    """

    ctx: Context
    session: Session
    ledger: Ledger
    fleet: StandingFleet
    scheduler: Scheduler
    alone: bool = False

    @property
    def now(self) -> float:
        """The moment, in Unix seconds."""
        return self.ctx.clock.now().timestamp()

    def examine(self, wish: VmWish, number: int) -> Asked | VmCreation:
        """See :func:`examine`."""
        return examine(self.ctx, self.session, self.ledger, self.fleet.names, wish, number=number)

    def place(self, asked: Asked) -> Decision:
        """Where a wish goes; if it fits nowhere, perhaps in the place of others, who are locked then.

        :raises InputError: when it needs more than the room holds that it is to have.
        :raises OvertakenError: when others have to leave, and the fleet has changed since it was lent.
        """
        if asked.room is not None:
            return reserved_room.place(self.scheduler, asked.room, asked.request, now=self.now)
        while True:
            decision = precedence.place(self.session, self.scheduler, asked.request, now=self.now)
            if decision.preempts and not self.alone:
                self._lock_hosts()
            # Whoever is found to have other plans by now is locked with the others, and not asked again.
            if not decision.preempts or preemption.hold(self.session, decision.preempts):
                return decision

    def _lock_hosts(self) -> None:
        """Have nobody else take room until this is committed. No host is locked yet, so the order is everybody's."""
        hosts.hold_all(self.session)
        if not self.fleet.is_current(self.session):
            raise OvertakenError
        self.alone = True

    def make_room(self, admitted: Admitted) -> Admitted:
        """Have others leave for a wish, which takes what it needs beside what they hold."""
        asked, victims = admitted.asked, admitted.decision.preempts
        beside = precedence.beside(asked.request, [self.scheduler.fleet.request_of(one.vm) for one in victims])
        deed = Deed.of(self.ctx, self.session, asked.wish.actor)
        waits = Waits(preemption.begin(deed, asked.vm, asked.request.priority, victims), beside)
        self.take(asked, admitted.host, beside)
        return with_changes(admitted, waits=waits)

    def take(self, asked: Asked, host: str, beside: Request | None = None) -> None:
        """Give a wish its room, and note what was asked for; see :meth:`settle`."""
        self.settle(asked, host, beside)
        self.scheduler.fleet.mix.note(asked.request)

    def settle(self, asked: Asked, host: str, beside: Request | None = None) -> None:
        """Give a wish its room, and count it against its project's quota.

        :param beside: what it takes for now; None for all that it asks for.
        """
        if asked.room is not None:
            # It counts against the quota already, for as much at least.
            self.fleet.let_go(asked.room.id)
        else:
            self.ledger.charge(asked.wish, asked.image)
        self.scheduler.settle(asked.vm, host, beside or asked.request)
        there = self.scheduler.fleet.host(host) if self.scheduler.counts_creates else None
        if there is not None:
            self.scheduler.fleet.set_creating(host, there.creating + 1)
        self.fleet.names.note(asked.wish.project, asked.wish.spec.name, asked.vm)

    def write(self, decided: Sequence[Decided]) -> list[VmCreation | MinicloudError]:
        """Write what was admitted, which has taken its room, and why the others were refused.

        :param decided: in the order in which it was decided: decisions are kept in it.
        """
        placement_record.make_room(self.session, [one for one in decided if isinstance(one, Refusal)])
        admitted = [one for one in decided if isinstance(one, Admitted)]
        shares = Counter(one.host for one in admitted)
        shares.subtract(one.host for one in admitted if one.asked.room is not None)
        allocation.advance(Deed.of(self.ctx, self.session, SYSTEM), self.fleet, shares)
        for one in admitted:
            if one.asked.room is not None:
                reserved_room.use(Deed.of(self.ctx, self.session, one.asked.wish.actor), one.asked.room, one.asked.vm)
        nodes = [self.scheduler.fleet.nodes_of(one.asked.vm) for one in admitted]
        written = _write(self.ctx, self.session, admitted, nodes)
        return [self._answer(one, written) for one in decided]

    def _answer(self, one: Decided, written: Iterator[VmCreation]) -> VmCreation | MinicloudError:
        if isinstance(one, Admitted):
            return next(written)
        if isinstance(one, Refusal):
            placement_record.keep(self.ctx, self.session, one)
            return one.error
        return one


def _one_by_one(admission: Admission, wishes: Sequence[VmWish]) -> list[Decided]:
    session = admission.session
    number = first = counter.next_numbers(session, "vm", len(wishes))
    decided: list[Decided] = []
    for wish in wishes:
        decided.append(_decide(admission, wish, number))
        number += isinstance(decided[-1], Admitted)
    counter.give_back(session, "vm", first + len(wishes) - number)
    return decided


def _decide(admission: Admission, wish: VmWish, number: int) -> Decided:
    try:
        asked = admission.examine(wish, number)
        if isinstance(asked, VmCreation):
            return asked
        decision = admission.place(asked)
    except MinicloudError as error:
        return error
    if decision.host is None:
        return Refusal.of(wish, decision)
    admitted = Admitted.of(asked, decision)
    if decision.preempts:
        return admission.make_room(admitted)
    admission.take(asked, admitted.host)
    return admitted


def examine(
    ctx: Context, session: Session, ledger: Ledger, names: VmNames, wish: VmWish, *, number: int
) -> Asked | VmCreation:
    """What a wish asks, or its answer where it needs no new VM. Everybody who places a wish looks at it so first.

    :param names: the VMs that it may name.
    :param number: its VM's, if it gets one.
    :raises MinicloudError: why it may not be.
    """
    seen = recall.look_up(ctx, session, wish.actor, wish.idempotency, lock=False)
    if seen is not None:
        return replayed(session, seen)
    project = ledger.project(wish.project)
    wish = with_changes(wish, spec=priority.settled(wish.spec, ctx.policy.current().priority_classes, project))
    answer = _answered(ctx, session, ledger, wish)
    if answer is not None:
        return answer
    image = ledger.image(wish)
    room = reserved_room.find(session, wish, ctx.clock.now())
    if room is None:
        ledger.check_quota(wish, image)
    return Asked(wish, image, number, wish.request(image, names, vm_id(number)), room)


def _answered(ctx: Context, session: Session, ledger: Ledger, wish: VmWish) -> VmCreation | None:
    """What a wish is answered whose VM is there."""
    vm = ledger.existing(wish)
    if vm is None:
        return None
    answer = _answer_existing(ctx, session, wish, vm)
    _remember(ctx, session, wish, answer)
    return answer


def _answer_existing(ctx: Context, session: Session, wish: VmWish, vm: VmRow) -> VmCreation:
    """The VM that is there; a terminal that asks again may carry out what nobody has begun.

    :raises BusyError: when it is being deleted.
    :raises SpecConflictError: when it has another spec.
    """
    if vm.desired == "absent":
        raise BusyError(
            f"VM {vm.name} ({vm.id}) is being deleted",
            hint="wait until it is gone",
            details={"vm": vm.id, "operation": vm.operation},
        )
    asked = with_changes(wish.spec, host=None) if wish.spec.host == vm.host else wish.spec
    differences = VmSpec.from_stored(vm.spec).differences(asked)
    if differences:
        raise SpecConflictError(
            f"VM {vm.name} ({vm.id}) exists with another {', '.join(sorted(differences))}",
            hint="choose another name, or delete that VM first",
            details={"vm": vm.id, "differences": differences},
        )
    claim = None if wish.claim is None else _claim_existing(ctx, session, wish, vm)
    return _answer(session, vm, vm.operation, created=False, claim=claim)


def _claim_existing(ctx: Context, session: Session, wish: VmWish, vm: VmRow) -> Claim | None:
    vms.lock(session, vm.id)
    operation = None if vm.operation is None else operations.lock(session, vm.operation)
    if operation is None or operation.kind != "vm.create" or operation.state != "queued":
        return None
    try:
        return lease.take_by_hand(ctx, session, operation, wish.claim or "", wish.lease_seconds)
    except ConflictError:
        return None


def _answer(
    session: Session, vm: VmRow, operation_id: str | None, *, created: bool, claim: Claim | None = None
) -> VmCreation:
    operation = None if operation_id is None else operations.find(session, operation_id)
    kept = placements.of_vm(session, vm.id)
    return VmCreation(
        show_vm(vm),
        None if operation is None else show_operation(operation),
        kept[0].decision if kept else None,
        created=created,
        claim=claim,
    )


def replayed(session: Session, answer: Mapping[str, Any]) -> VmCreation:
    """What a key made: the inverse of :func:`memory`, but for what has become of it since."""
    vm = vms.find(session, answer["vm"])
    assert vm is not None
    return with_changes(_answer(session, vm, answer["operation"], created=bool(answer["created"])), replayed=True)


def _remember(ctx: Context, session: Session, wish: VmWish, creation: VmCreation) -> None:
    recall.remember(ctx, session, wish.actor, wish.idempotency, memory(creation))


def memory(creation: VmCreation) -> dict[str, Any]:
    """What is kept of an answer under an Idempotency-Key."""
    operation = None if creation.operation is None else creation.operation.id
    return {"vm": creation.vm.id, "operation": operation, "created": creation.created}


def _write(
    ctx: Context, session: Session, admitted: Sequence[Admitted], nodes: Sequence[allocation.Nodes]
) -> Iterator[VmCreation]:
    """Write VMs, their shares of hosts, their operations, and why they are there: each kind of row in one statement.

    :param nodes: for each the NUMA nodes on which it lies.
    """
    deeds = [Deed.of(ctx, session, one.asked.wish.actor) for one in admitted]
    rows = [
        one.asked.wish.row(deed, one.asked.image, number=one.asked.number, host=one.host)
        for deed, one in zip(deeds, admitted, strict=True)
    ]
    queued = [draft_row(deed, _draft(one, vm)) for deed, one, vm in zip(deeds, admitted, rows, strict=True)]
    session.add_all(rows)
    # What operations and shares refer to goes first.
    session.flush()
    for deed, one, vm, operation, seat in zip(deeds, admitted, rows, queued, nodes, strict=True):
        beside = None if one.waits is None else one.waits.beside
        allocation.allocate(deed, vm, one.host, seat, beside)
        yield _finish(deed, one, vm, operation)


def _draft(one: Admitted, vm: VmRow) -> Draft:
    command = create_command(one.asked.wish.spec, one.asked.wish.project, one.host)
    after = None if one.waits is None else one.waits.after
    return Draft("vm.create", one.host, command, vm=vm, after=after)


def _finish(deed: Deed, one: Admitted, vm: VmRow, operation: OperationRow) -> VmCreation:
    ctx, session, wish = deed.ctx, deed.session, one.asked.wish
    session.add(operation)
    announce(deed, operation)
    allocation.keep(deed, vm, operation, one.decision)
    begin_vm(deed, vm)
    audit.note(ctx, session, wish.actor, "vm.create", vm.id, project=wish.project, name=vm.name, host=vm.host)
    claim = None
    if one.waits is not None:
        vm.status_reason = f"waits until {', '.join(victim.vm for victim in one.decision.preempts)} made room"
    elif wish.claim is not None:
        claim = lease.take_by_hand(ctx, session, operation, wish.claim, wish.lease_seconds)
    answer = VmCreation(show_vm(vm), show_operation(operation), one.decision.record, created=True, claim=claim)
    _remember(ctx, session, wish, answer)
    return answer
