"""The verbs: what is done to a VM that exists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from minicloud_core.model.reason import Reason

from minicloud.store import operation as operations
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import arguments as given
from . import audit, readmission, relocation
from .authorisation import require_write, resolve_vm
from .command import change_command
from .context import Actor, Context, Idempotency
from .queue import Draft, enqueue
from .state import Deed, move_vm, want_vm
from .verb import Change, NeedsRoomError, check_free, check_possible, check_room, locked
from .view.operation import show_operation
from .view.vm import VmChange, show_vm
from .withdrawal import discard, withdraw

# The status in which there is nothing for a verb to do.
DONE: Final = {"start": "running", "stop": "stopped", "pause": "paused", "resume": "running"}


def change(
    ctx: Context,
    actor: Actor,
    reference: str,
    verb: str,
    *,
    project: str | None = None,
    dry_run: bool = False,
    claim: str | None = None,
    lease_seconds: float = 60,
    idempotency: Idempotency | None = None,
    reason: Reason | None = None,
    **arguments: Any,
) -> VmChange:
    """Do a verb to a VM: write the intent, and queue the operation that carries it out.

    :param reference: the VM's id or name.
    :param verb: ``start stop reboot reset pause resume migrate delete``.
    :param project: where the name is looked up, for an actor of all projects.
    :param dry_run: answer what would happen; write nothing.
    :param claim: the name of a terminal that will carry the operation out itself.
    :param arguments: of ``migrate``: ``host live bandwidth_mib timeout copy_storage tls``; of ``stop``: ``force``,
        ``graceful`` (seconds). None counts as not given.
    :raises NotFoundError: when there is no such VM for this actor.
    :raises InputError: naming arguments that the verb does not take, or that are wrong.
    :raises TransitionError: when the VM's status does not allow it.
    :raises BusyError: when another operation has the VM. A delete waits behind it instead.
    :raises NoCapacityError: when a migration finds no host, or a VM that had to make room cannot start for want of it,
        with each host's reasons.
    """
    require_write(actor)
    wish = Change(
        ctx, actor, verb, given.read(verb, arguments), claim, lease_seconds, idempotency=idempotency, reason=reason
    )
    if verb == "migrate":
        return relocation.migrate(wish, reference, project=project, dry_run=dry_run)
    try:
        return _rehearsed(wish, reference, project) if dry_run else _carried_out(wish, reference, project)
    except NeedsRoomError as error:
        return readmission.rehearse(wish, error.vm) if dry_run else readmission.start(wish, error.vm, carry_out)


def _rehearsed(wish: Change, reference: str, project: str | None) -> VmChange:
    with wish.ctx.read() as session:
        return _rehearse(wish, session, resolve_vm(session, wish.actor, reference, project=project))


def _carried_out(wish: Change, reference: str, project: str | None) -> VmChange:
    with wish.ctx.write("operations") as session:
        answer = wish.recalled(session)
        if answer is not None:
            return answer
        found = resolve_vm(session, wish.actor, reference, project=project)
        deed = Deed.of(wish.ctx, session, wish.actor)
        return carry_out(wish, deed, locked(session, found.id))


def carry_out(wish: Change, deed: Deed, vm: VmRow) -> VmChange:
    """Do a verb other than ``migrate`` to a VM that is locked; see :func:`change`.

    :raises NeedsRoomError: when the VM is to start, and had to make room; see ``readmission``.
    """
    return _delete(wish, deed, vm) if wish.verb == "delete" else _act(wish, deed, vm)


def _act(wish: Change, deed: Deed, vm: VmRow) -> VmChange:
    busy = operations.open_of_vm(deed.session, vm.id)
    if not busy and vm.status == DONE.get(wish.verb):
        want_vm(deed, vm, wish.desired(vm), wish.verb)
        return wish.remember(deed.session, VmChange(show_vm(vm), None, changed=False))
    check_free(vm, busy)
    check_room(vm, wish.verb)
    status, previous = check_possible(vm, wish.verb), {"status": vm.status, "desired": vm.desired}
    move_vm(deed, vm, status, wish.reason.message if wish.reason else "")
    want_vm(deed, vm, wish.desired(vm), wish.verb)
    return wish.finish(deed, vm, _queue(wish, deed, vm, previous))


def _delete(wish: Change, deed: Deed, vm: VmRow) -> VmChange:
    under_way = operations.open_of_vm(deed.session, vm.id)
    same = next((row for row in under_way if row.kind == "vm.delete"), None)
    if same is not None:
        return wish.remember(deed.session, VmChange(show_vm(vm), show_operation(same), changed=False))
    previous = {"status": vm.status, "desired": vm.desired}
    for row in under_way:
        withdraw(deed, row, vm, f"{vm.name} is being deleted")
    if vm.deleted_at is None and vm.host is None:
        discard(deed, vm, "it was on no host")
    if vm.deleted_at is not None:
        want_vm(deed, vm, "absent", "delete")
        audit.note(wish.ctx, deed.session, wish.actor, wish.kind, vm.id, project=vm.project, name=vm.name)
        return wish.remember(deed.session, VmChange(show_vm(vm), None, changed=True))
    want_vm(deed, vm, "absent", "delete")
    move_vm(deed, vm, "deleting", wish.reason.message if wish.reason else "")
    # withdraw() queues the delete itself when it takes a create back that had begun.
    queued = next((row for row in operations.open_of_vm(deed.session, vm.id) if row.kind == "vm.delete"), None)
    return wish.finish(deed, vm, queued or _queue(wish, deed, vm, previous))


def _queue(wish: Change, deed: Deed, vm: VmRow, previous: Mapping[str, Any]) -> OperationRow:
    command = change_command(wish.kind, vm.name, vm.project, wish.arguments)
    draft = Draft(wish.kind, vm.host, command, vm=vm, arguments=wish.arguments, previous=previous, reason=wish.reason)
    return enqueue(deed, draft)


def _rehearse(wish: Change, session: Session, vm: VmRow) -> VmChange:
    busy = operations.open_of_vm(session, vm.id)
    view = show_vm(vm)
    if not busy and vm.status == DONE.get(wish.verb):
        return VmChange(view, None, changed=False)
    if wish.verb == "delete":
        if vm.status == "deleting":
            return VmChange(view, None, changed=False)
        return VmChange(replace(view, status="deleting", desired="absent"), None, changed=True)
    check_free(vm, busy)
    check_room(vm, wish.verb)
    status = check_possible(vm, wish.verb)
    return VmChange(replace(view, status=status, desired=wish.desired(vm)), None, changed=True)
