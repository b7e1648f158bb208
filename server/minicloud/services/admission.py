"""Admitting creates: those that wait for one another are decided one after the other, and written together.

On SQLite everybody who writes waits in one line. With a transaction for each create, 50 a second kept a core busy with
the same questions about the same project, image and hosts; now the longer the line, the less each costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import Any

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
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import allocation, audit, lease, recall
from .command import create_command
from .context import Context
from .ledger import Ledger
from .queue import Draft, announce, draft_row
from .standing_fleet import StandingFleet
from .state import Deed, begin_vm
from .view.operation import Claim, show_operation
from .view.vm import VmCreation, show_vm
from .vm_names import VmNames
from .vm_wish import VmWish


class _OvertakenError(Exception):
    """A host that was decided for has changed meanwhile."""


def admit(ctx: Context, wishes: Sequence[VmWish]) -> Sequence[VmCreation | MinicloudError]:
    """Decide and write creates in one transaction, as if one came after the other.

    :returns: for each its answer, or why it may not be.
    """
    try:
        return _admit(ctx, wishes, alone=False)
    except _OvertakenError:
        # A crowd may delay creates, but not starve them.
        return _admit(ctx, wishes, alone=True)


@dataclass(frozen=True)
class _Admitted:
    """A wish that has its host."""

    wish: VmWish
    image: ImageRow
    number: int
    host: str
    decision: Decision


@dataclass(frozen=True)
class _Fleet:
    """The fleet for one wish, and the number that its VM will have."""

    scheduler: Scheduler
    names: VmNames
    number: int

    @property
    def vm(self) -> str:
        return f"vm-{self.number}"

    def take(self, host: str, request: Request) -> None:
        """Give the wish its room."""
        self.scheduler.take(self.vm, host, request)
        there = self.scheduler.fleet.host(host) if self.scheduler.counts_creates else None
        if there is not None:
            self.scheduler.fleet.set_creating(host, there.creating + 1)


def _admit(ctx: Context, wishes: Sequence[VmWish], *, alone: bool) -> Sequence[VmCreation | MinicloudError]:
    """:param alone: lock every host first."""
    with ctx.fleet.lent(to_take=True) as fleet:
        with ctx.write("operations") as session:
            ledger = Ledger(session, wishes)
            if alone:
                hosts.lock_all(session)
            decided = _decide_all(ctx, session, ledger, fleet, wishes)
            admitted = [one for one in decided if isinstance(one, _Admitted)]
            shares = Counter(one.host for one in admitted)
            for name in sorted(shares):
                if not hosts.advance(session, name, fleet.generation(name)):
                    raise _OvertakenError
            written = iter(_write(ctx, session, admitted))
            answers = [next(written) if isinstance(one, _Admitted) else one for one in decided]
        for name, many in shares.items():
            fleet.keep(name, many)
        return answers


def _decide_all(
    ctx: Context, session: Session, ledger: Ledger, fleet: StandingFleet, wishes: Sequence[VmWish]
) -> list[_Admitted | VmCreation | MinicloudError]:
    scheduler = fleet.scheduler(session, ctx.policy.current())
    number = first = counter.next_numbers(session, "vm", len(wishes))
    decided: list[_Admitted | VmCreation | MinicloudError] = []
    for wish in wishes:
        decided.append(_decide(ctx, session, ledger, _Fleet(scheduler, fleet.names, number), wish))
        number += isinstance(decided[-1], _Admitted)
    counter.give_back(session, "vm", first + len(wishes) - number)
    return decided


def _decide(
    ctx: Context, session: Session, ledger: Ledger, fleet: _Fleet, wish: VmWish
) -> _Admitted | VmCreation | MinicloudError:
    try:
        answer = _answered(ctx, session, ledger, wish)
        if answer is not None:
            return answer
        image = ledger.image(wish)
        ledger.check_quota(wish, image)
        request = wish.request(image, fleet.names, fleet.vm)
        decision = fleet.scheduler.place(request, now=ctx.clock.now().timestamp())
        if decision.host is None:
            return decision.no_capacity()
    except MinicloudError as error:
        return error
    # Put into words while the fleet is as it was: to find back to that moment costs a copy of all of it.
    admitted = _Admitted(wish, image, fleet.number, decision.host, decision.put_down())
    ledger.charge(wish, image)
    fleet.take(decision.host, request)
    fleet.names.note(wish.project, wish.spec.name, fleet.vm)
    return admitted


def _answered(ctx: Context, session: Session, ledger: Ledger, wish: VmWish) -> VmCreation | None:
    """What a wish is answered that needs no new VM: its key was seen, or its VM is there."""
    seen = recall.look_up(ctx, session, wish.actor, wish.idempotency, lock=False)
    if seen is not None:
        return _replayed(session, seen)
    ledger.project(wish.project)
    vm = ledger.existing(wish)
    if vm is None:
        return None
    answer = answer_existing(ctx, session, wish, vm)
    _remember(ctx, session, wish, answer)
    return answer


def answer_existing(ctx: Context, session: Session, wish: VmWish, vm: VmRow) -> VmCreation:
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


def _replayed(session: Session, answer: Mapping[str, Any]) -> VmCreation:
    vm = vms.find(session, answer["vm"])
    assert vm is not None
    return with_changes(_answer(session, vm, answer["operation"], created=bool(answer["created"])), replayed=True)


def _remember(ctx: Context, session: Session, wish: VmWish, creation: VmCreation) -> None:
    operation = None if creation.operation is None else creation.operation.id
    answer = {"vm": creation.vm.id, "operation": operation, "created": creation.created}
    recall.remember(ctx, session, wish.actor, wish.idempotency, answer)


def _write(ctx: Context, session: Session, admitted: Sequence[_Admitted]) -> Sequence[VmCreation]:
    """Write VMs, their shares of hosts, their operations, and why they are there: each kind of row in one statement."""
    if not admitted:
        return ()
    deeds = [Deed.of(ctx, session, one.wish.actor) for one in admitted]
    rows = [
        one.wish.row(deed, one.image, number=one.number, host=one.host)
        for deed, one in zip(deeds, admitted, strict=True)
    ]
    queued = [draft_row(deed, _draft(one, vm)) for deed, one, vm in zip(deeds, admitted, rows, strict=True)]
    session.add_all(rows)
    # What operations and shares refer to goes first.
    session.flush()
    return [
        _finish(deed, one, vm, operation)
        for deed, one, vm, operation in zip(deeds, admitted, rows, queued, strict=True)
    ]


def _draft(one: _Admitted, vm: VmRow) -> Draft:
    command = create_command(one.wish.spec, one.wish.project, one.host)
    return Draft("vm.create", one.host, command, vm=vm)


def _finish(deed: Deed, one: _Admitted, vm: VmRow, operation: OperationRow) -> VmCreation:
    ctx, session, wish = deed.ctx, deed.session, one.wish
    session.add(operation)
    announce(deed, operation)
    allocation.allocate(deed, vm, one.host)
    allocation.keep(deed, vm, operation, one.decision)
    begin_vm(deed, vm)
    audit.note(ctx, session, wish.actor, "vm.create", vm.id, project=wish.project, name=vm.name, host=vm.host)
    claim = None
    if wish.claim is not None:
        claim = lease.take_by_hand(ctx, session, operation, wish.claim, wish.lease_seconds)
    answer = VmCreation(show_vm(vm), show_operation(operation), one.decision.record, created=True, claim=claim)
    _remember(ctx, session, wish, answer)
    return answer
