"""Taking operations back: cancelling, and what a cancelled one leaves of its VM."""

from __future__ import annotations

from dataclasses import replace

from minicloud_core.model.errors import ConflictError
from minicloud_core.model.operation import ENDED, UNCLAIMED
from minicloud_core.model.reason import Reason
from minicloud_core.model.vm import VM_TRANSITIONS

from minicloud.store import allocation as allocations
from minicloud.store import operation as operations
from minicloud.store.operation import OperationRow
from minicloud.store.vm import VmRow

from . import fencing
from .command import change_command
from .context import SYSTEM
from .queue import Draft, enqueue
from .state import Deed, emit_operation, explain_operation, house_vm, move_operation, move_vm, want_vm


def withdraw(deed: Deed, row: OperationRow, vm: VmRow | None, reason: str) -> None:
    """Cancel an operation that is locked with its VM: at once while no run has it, else by asking its run to stop.

    :raises ConflictError: when it has ended, or is a delete.
    """
    check(row)
    if row.state in UNCLAIMED:
        explain_operation(deed, row, Reason("operation.cancelled", reason))
        move_operation(deed, row, "cancelled", reason)
        take_back(deed, row, vm)
        if vm is not None and row.exclusive:
            vm.settled_at = deed.at
    elif not row.cancel_requested:
        row.cancel_requested = True
        explain_operation(deed, row, Reason("operation.cancel_requested", reason))
        emit_operation(deed, row, "operation.cancel", reason, {})


def check(row: OperationRow) -> None:
    """:raises ConflictError: when the operation cannot be cancelled."""
    if row.state in ENDED:
        raise ConflictError(f"{row.id} has {row.state} already", hint="there is nothing to cancel")
    if row.kind == "vm.delete":
        raise ConflictError(
            f"{row.id} deletes {row.vm}; that cannot be taken back", hint="create the VM again once it is gone"
        )


def check_own(row: OperationRow, vm: VmRow | None) -> None:
    """:raises ConflictError: when the operation is part of another, which is to be cancelled in its place."""
    if vm is not None and vm.yields_to is not None and row.kind == "vm.stop":
        raise ConflictError(
            f"{row.id} stops {vm.id} to make room for {vm.yields_to}",
            hint=f"whoever asked for {vm.yields_to} can cancel its create",
        )


def take_back(deed: Deed, row: OperationRow, vm: VmRow | None) -> None:
    """Leave the VM as it was before an operation that was cancelled; where that cannot be known, say so."""
    if row.kind == "host.fence":
        fencing.give_up(deed, row, "the fence was cancelled")
    if vm is None or not row.exclusive or vm.status in ("deleting", "deleted"):
        return
    if row.kind == "vm.create":
        _unmake(deed, row, vm)
        return
    reason = f"{row.kind} was cancelled"
    want_vm(deed, vm, str(row.previous.get("desired", vm.desired)), reason)
    if row.kind == "vm.migrate" and not row.begun:
        allocations.free(deed.session, vm.id, keep=row.host)
    before = str(row.previous.get("status", "unknown"))
    # A run that was stopped on its way may have got anywhere: the observer will tell.
    known = not row.begun and VM_TRANSITIONS.allows(vm.status, before)
    move_vm(deed, vm, before if known else "unknown", reason)


def _unmake(deed: Deed, row: OperationRow, vm: VmRow) -> None:
    if row.previous:
        # The VM is older than this create, which was to make its domain again.
        move_vm(deed, vm, "error", "making the domain again was cancelled")
        return
    want_vm(deed, vm, "absent", "the create was cancelled")
    if not row.begun:
        discard(deed, vm, "cancelled before it was begun")
        return
    move_vm(deed, vm, "deleting", "the create was cancelled")
    if not [other for other in operations.open_of_vm(deed.session, vm.id) if other.kind == "vm.delete"]:
        reason = Reason("create.cancelled", f"{row.id} was cancelled after a run had begun; what it left is removed")
        command = change_command("vm.delete", vm.name, vm.project, {})
        enqueue(replace(deed, actor=SYSTEM.name), Draft("vm.delete", vm.host, command, vm=vm, reason=reason))


def discard(deed: Deed, vm: VmRow, reason: str) -> None:
    """Delete a VM of which nothing was ever made."""
    allocations.free(deed.session, vm.id)
    move_vm(deed, vm, "deleting", reason)
    move_vm(deed, vm, "deleted", reason)
    house_vm(deed, vm, None)
