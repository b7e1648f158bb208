"""The only place where a state is assigned. Every move is checked by its table and leaves an event."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minicloud_core.model.host import HOST_TRANSITIONS, failures_after
from minicloud_core.model.operation import ENDED, OPERATION_TRANSITIONS, UNCLAIMED
from minicloud_core.model.reason import Reason
from minicloud_core.model.reservation import RESERVATION_TRANSITIONS
from minicloud_core.model.vm import VM_TRANSITIONS

from minicloud.store import operation as operations
from minicloud.store import reservation as reservations
from minicloud.store.event import Event, emit
from minicloud.store.host import HostRow
from minicloud.store.operation import OperationRow
from minicloud.store.reservation import ReservationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from .context import Actor, Context


@dataclass(frozen=True)
class Deed:
    """One change under way: its transaction, and the when, who and on which request of the events that it leaves."""

    ctx: Context
    session: Session
    at: datetime
    actor: str
    request_id: str = ""

    @classmethod
    def of(cls, ctx: Context, session: Session, actor: Actor) -> Deed:
        """A deed of somebody who asked."""
        return cls(ctx, session, ctx.clock.now(), actor.name, actor.request_id)

    @classmethod
    def by(cls, ctx: Context, session: Session, name: str, request_id: str) -> Deed:
        """A deed of a run or of the service itself, on behalf of a request."""
        return cls(ctx, session, ctx.clock.now(), name, request_id)


def move_vm(deed: Deed, vm: VmRow, status: str, reason: str = "") -> None:
    """Give a VM a status; the one it has is no move, only its reason may be news.

    :raises TransitionError: when the table forbids it.
    """
    if vm.status == status:
        vm.status_reason = reason
        return
    old = vm.status
    vm.status = VM_TRANSITIONS.check(old, status)
    vm.status_reason = reason
    vm.updated_at = deed.at
    if status == "deleted":
        vm.deleted_at = deed.at
    _emit_vm(deed, vm, "vm.status", reason, {"from": old, "to": status})


def begin_vm(deed: Deed, vm: VmRow) -> None:
    """Tell of a VM that has just been written."""
    _emit_vm(deed, vm, "vm.status", "", {"from": None, "to": vm.status})


def want_vm(deed: Deed, vm: VmRow, desired: str, reason: str = "") -> None:
    """Write what is wanted of a VM."""
    if vm.desired == desired:
        return
    old, vm.desired = vm.desired, desired
    vm.updated_at = deed.at
    _emit_vm(deed, vm, "vm.desired", reason, {"from": old, "to": desired})


def house_vm(deed: Deed, vm: VmRow, host: str | None, reason: str = "") -> None:
    """Write where a VM lives. What waits for it follows; what was observed of it elsewhere says nothing any more."""
    if vm.host == host:
        return
    old, vm.host = vm.host, host
    for waiting in operations.open_of_vm(deed.session, vm.id):
        if waiting.state in UNCLAIMED:
            waiting.host = host
    vm.updated_at = deed.at
    vm.observed_state = vm.observed_host = vm.observed_at = None
    _emit_vm(deed, vm, "vm.host", reason, {"from": old, "to": host})


def ask_to_yield(deed: Deed, vm: VmRow, heir: str | None, reason: str) -> None:
    """Have a VM make room for another, which nobody else may ask of it meanwhile; None lets it keep its room."""
    vm.yields_to, vm.updated_at = heir, deed.at
    _emit_vm(deed, vm, "vm.yields", reason, {"to": heir})


def preempt_vm(deed: Deed, vm: VmRow, preemption: dict[str, Any] | None, reason: str) -> None:
    """Write for whom a VM has made room; None once it has room again."""
    vm.yields_to, vm.preempted, vm.status_reason, vm.updated_at = None, preemption, reason, deed.at
    _emit_vm(deed, vm, "vm.preempted", reason, {"by": None if preemption is None else preemption["by"]})


def move_operation(deed: Deed, operation: OperationRow, state: str, reason: str = "") -> None:
    """Give an operation a state.

    :raises TransitionError: when the table forbids it.
    """
    old = operation.state
    operation.state = OPERATION_TRANSITIONS.check(old, state)
    if state in ENDED or state == "queued":
        operation.lease_owner = operation.lease_until = None
    if state in ENDED:
        operation.ended_at = deed.at
    emit_operation(deed, operation, "operation.state", reason, {"from": old, "to": state})


def explain_operation(deed: Deed, operation: OperationRow, reason: Reason) -> None:
    """Add a link to an operation's chain of reasons."""
    link = {**reason.to_mapping(), "at": deed.at.isoformat()}
    operation.reasons = [*operation.reasons, link]
    emit_operation(deed, operation, "operation.reason", reason.message, {"rule": reason.rule})


def move_host(deed: Deed, host: HostRow, state: str, reason: str = "") -> None:
    """Give a host a state; the one it has is no move. Placements decided before are void.

    :raises TransitionError: when the table forbids it.
    """
    if host.state == state:
        host.state_reason = reason
        return
    old = host.state
    host.state = HOST_TRANSITIONS.check(old, state)
    host.state_reason = reason
    host.state_at = host.updated_at = deed.at
    host.generation += 1
    host.failures = failures_after(host.failures or (), state, deed.at.timestamp())
    emit_host(deed, host, "host.state", reason, {"from": old, "to": state})


def move_reservation(deed: Deed, reservation: ReservationRow, state: str, reason: str = "") -> None:
    """End a reservation.

    :raises TransitionError: when it has ended already.
    """
    old = reservation.state
    reservation.state = RESERVATION_TRANSITIONS.check(old, state)
    reservation.ended_at = deed.at
    tell_reservation(deed, vars(reservation), {"from": old, "to": state}, reason)


def expire_reservations(deed: Deed, ids: Collection[str], *, patient: bool = True) -> int:
    """End those of some reservations that are still held, and whose time is over.

    :param patient: False passes over those that another transaction has.
    :returns: how many there were.
    """
    rows = reservations.lock_many(deed.session, ids, patient=patient).values()
    lapsed = [row for row in rows if row.state == "held"]
    for row in lapsed:
        move_reservation(deed, row, "expired", f"its time was over at {row.expires_at.isoformat()}")
    return len(lapsed)


def tell_reservation(deed: Deed, reservation: Mapping[str, Any], move: Mapping[str, Any], reason: str = "") -> None:
    """Tell of a reservation that has just been written, or has ended.

    :param reservation: its columns.
    """
    emit(
        deed.session,
        Event(
            at=deed.at,
            kind="reservation.state",
            vm=reservation["vm"],
            host=reservation["host"],
            project=reservation["project"],
            actor=deed.actor,
            request_id=deed.request_id,
            reason=reason,
            data={"reservation": reservation["id"], "name": reservation["name"], **move},
        ),
    )


def emit_operation(deed: Deed, operation: OperationRow, kind: str, reason: str, data: dict[str, Any]) -> None:
    emit(
        deed.session,
        Event(
            at=deed.at,
            kind=kind,
            vm=operation.vm,
            operation=operation.id,
            host=operation.host,
            project=operation.project,
            actor=deed.actor,
            request_id=operation.request_id or deed.request_id,
            reason=reason,
            data={"kind": operation.kind, **data},
        ),
    )


def emit_host(deed: Deed, host: HostRow, kind: str, reason: str, data: dict[str, Any]) -> None:
    emit(
        deed.session,
        Event(
            at=deed.at,
            kind=kind,
            host=host.name,
            actor=deed.actor,
            request_id=deed.request_id,
            reason=reason,
            data=data,
        ),
    )


def _emit_vm(deed: Deed, vm: VmRow, kind: str, reason: str, data: dict[str, Any]) -> None:
    emit(
        deed.session,
        Event(
            at=deed.at,
            kind=kind,
            vm=vm.id,
            operation=vm.operation,
            host=vm.host,
            project=vm.project,
            actor=deed.actor,
            request_id=deed.request_id,
            reason=reason,
            data={"name": vm.name, **data},
        ),
    )
