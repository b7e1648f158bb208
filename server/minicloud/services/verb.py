"""A verb under way, and what must be so before it may begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    vm = vms.lock(session, vm_id)
    if vm is None or vm.deleted_at is not None:
        raise NotFoundError(f"There is no VM {vm_id}", hint="list them: GET /v1/vms")
    return vm


def check_free(vm: VmRow, open_operations: Sequence[OperationRow]) -> None:
    """:raises BusyError: when an operation has the VM."""
    if open_operations:
        first = open_operations[0]
        raise BusyError(
            f"VM {vm.name} ({vm.id}) is busy: {first.kind} is {first.state}",
            hint=f"wait for {first.id}, or cancel it",
            details={"vm": vm.id, "operation": first.id, "kind": first.kind, "state": first.state},
        )


def check_possible(vm: VmRow, verb: str) -> str:
    """The status that a verb moves the VM to.

    :raises TransitionError: when its status does not allow that.
    :raises ConflictError: when the VM never came to be anywhere.
    """
    status = VM_TRANSITIONS.check(vm.status, VERBS[verb][0])
    if vm.host is None:
        raise ConflictError(
            f"VM {vm.name} ({vm.id}) is on no host: {vm.status_reason or 'it was never made'}",
            hint="delete it and create it again",
        )
    return status
