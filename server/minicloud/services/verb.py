"""A verb under way, and what must be so before it may begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from minicloud_core.model.errors import BusyError, ConflictError, NotFoundError
from minicloud_core.model.reason import Reason
from minicloud_core.model.vm import VERBS, VM_TRANSITIONS

from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import audit, lease, recall
from .context import Actor, Context, Idempotency
from .state import Deed
from .view.operation import Claim, show_operation
from .view.vm import VmChange, show_vm

# Verbs for a VM that had to make room. A start has it take its room again first.
_NEED_NO_ROOM: Final = frozenset({"start", "stop", "delete"})


class NeedsRoomError(ConflictError):
    """A VM that had to make room is to start, and has not taken its room again."""

    def __init__(self, vm: VmRow) -> None:
        super().__init__(f"VM {vm.name} ({vm.id}) has no room to start in", hint="start it as anybody would")
        self.vm = vm.id


@dataclass(frozen=True)
class Change:
    """One verb under way. ``reason`` is kept with the operation; None for somebody's plain wish.

    A ``correction`` is a step towards what is desired: it leaves that as it is.
    """

    ctx: Context
    actor: Actor
    verb: str
    arguments: Mapping[str, Any]
    claim: str | None = None
    lease_seconds: float = 60
    idempotency: Idempotency | None = None
    reason: Reason | None = None
    correction: bool = False

    @property
    def kind(self) -> str:
        return f"vm.{self.verb}"

    def desired(self, vm: VmRow) -> str:
        """What is desired of the VM from now on."""
        return vm.desired if self.correction else VERBS[self.verb][1] or vm.desired

    def remember(self, session: Session, answer: VmChange) -> VmChange:
        operation = None if answer.operation is None else answer.operation.id
        recall.remember(
            self.ctx,
            session,
            self.actor,
            self.idempotency,
            {"vm": answer.vm.id, "operation": operation, "changed": answer.changed},
        )
        return answer

    def recalled(self, session: Session, *, lock: bool = True) -> VmChange | None:
        """What the Idempotency-Key did before."""
        answer = recall.look_up(self.ctx, session, self.actor, self.idempotency, lock=lock)
        if answer is None:
            return None
        vm = vms.find(session, answer["vm"])
        operation = None if answer["operation"] is None else operations.find(session, answer["operation"])
        assert vm is not None
        shown = None if operation is None else show_operation(operation)
        return VmChange(show_vm(vm), shown, changed=bool(answer["changed"]), replayed=True)

    def finish(self, deed: Deed, vm: VmRow, operation: OperationRow) -> VmChange:
        """What is left to do once the operation is queued."""
        note = {"name": vm.name, "operation": operation.id, **self.arguments}
        audit.note(self.ctx, deed.session, self.actor, self.kind, vm.id, project=vm.project, **note)
        taken: Claim | None = None
        if self.claim is not None:
            taken = lease.take_by_hand(self.ctx, deed.session, operation, self.claim, self.lease_seconds)
        answer = VmChange(show_vm(vm), show_operation(operation), changed=True, claim=taken)
        return self.remember(deed.session, answer)


def locked(session: Session, vm_id: str) -> VmRow:
    """The VM, locked.

    :raises NotFoundError: when it was deleted meanwhile.
    """
    return present(vms.lock(session, vm_id), vm_id)


def present(vm: VmRow | None, vm_id: str) -> VmRow:
    """:raises NotFoundError: when there is no such VM any more."""
    if vm is None or vm.deleted_at is not None:
        raise NotFoundError(f"There is no VM {vm_id}", hint="list them: GET /v1/vms")
    return vm


def check_free(vm: VmRow, open_operations: Sequence[OperationRow]) -> None:
    """:raises BusyError: when an operation has the VM, or it is to make room for another."""
    if open_operations:
        first = open_operations[0]
        raise BusyError(
            f"VM {vm.name} ({vm.id}) is busy: {first.kind} is {first.state}",
            hint=f"wait for {first.id}, or cancel it",
            details={"vm": vm.id, "operation": first.id, "kind": first.kind, "state": first.state},
        )
    if vm.yields_to is not None:
        raise BusyError(
            f"VM {vm.name} ({vm.id}) is busy: it makes room for {vm.yields_to}",
            hint="wait until it has; then it can be started as soon as there is room again",
            details={"vm": vm.id, "yields_to": vm.yields_to},
        )


def check_room(vm: VmRow, verb: str) -> None:
    """:raises NeedsRoomError: when the VM is to start, and had to make room."""
    if verb == "start" and vm.preempted is not None:
        raise NeedsRoomError(vm)


def check_possible(vm: VmRow, verb: str) -> str:
    """The status that a verb moves the VM to.

    :raises TransitionError: when its status does not allow that.
    :raises ConflictError: when the VM never came to be anywhere, or had to make room and is to do what takes some.
    """
    status = VM_TRANSITIONS.check(vm.status, VERBS[verb][0])
    if vm.host is None:
        raise ConflictError(
            f"VM {vm.name} ({vm.id}) is on no host: {vm.status_reason or 'it was never made'}",
            hint="delete it and create it again",
        )
    if vm.preempted is not None and verb not in _NEED_NO_ROOM:
        raise ConflictError(
            f"VM {vm.name} ({vm.id}) has no room: it made room for {vm.preempted['by']}",
            hint="start it, or wait until it is started",
        )
    return status
