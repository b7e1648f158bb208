"""What follows from the end of a try: success, another try, giving up, taking back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from minicloud_core.model.reason import Reason
from minicloud_core.model.vm import VM_TRANSITIONS

from minicloud.store import allocation as allocations
from minicloud.store import domain as domains
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import run as runs
from minicloud.store import vm as vms
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import fencing, lease, withdrawal
from .authorisation import may_see, require_write
from .context import SYSTEM, Actor, Context
from .order import expected_state
from .queue import MAKES_ROOM
from .retry import back_off, tries_of
from .state import Deed, explain_operation, house_vm, move_operation, move_vm
from .view.operation import Claim, OperationView, Outcome, show_operation

# What a run may find on a host, and the status that it means.
STATUSES: Final = {"running": "running", "stopped": "stopped", "paused": "paused"}


def finish(ctx: Context, claim: Claim, outcome: Outcome) -> OperationView:
    """Say how a try ended; what follows is decided here.

    :raises LeaseLostError: when the operation is another's by now. Nothing is changed then.
    """
    with ctx.write("operations") as session:
        ended = _finish(ctx, session, [(claim, outcome)])
        if not ended:
            now = operations.find(session, claim.operation)
            raise lease.lost(claim, None if now is None else now.epoch)
        answer = show_operation(ended[claim.operation])
    _wake(ctx, ended)
    return answer


def finish_all(ctx: Context, ends: Sequence[tuple[Claim, Outcome]]) -> tuple[str, ...]:
    """Say how tries ended, all in one transaction: a module answers for all of a host's VMs at once.

    :returns: operations that are another's by now; nothing was changed for those.
    :raises MinicloudError: when the end of one cannot be written; then none is.
    """
    with ctx.write("operations") as session:
        ended = _finish(ctx, session, ends)
    _wake(ctx, ended)
    return tuple(claim.operation for claim, _outcome in ends if claim.operation not in ended)


def report(ctx: Context, actor: Actor, operation: str, epoch: int, outcome: Outcome) -> OperationView:
    """Say how an operation ended that a terminal claimed. To repeat it, for want of an answer, changes nothing.

    :raises NotFoundError: when there is no such operation, or it is not the actor's to see.
    :raises LeaseLostError: when the epoch is no longer the operation's.
    """
    require_write(actor)
    with ctx.read() as session:
        row = operations.find(session, operation)
        if row is not None and may_see(actor, row.project) and (row.epoch, row.state) == (epoch, outcome.kind):
            return show_operation(row)
    return finish(ctx, lease.by_epoch(ctx, actor, operation, epoch), outcome)


def expire(ctx: Context) -> int:
    """Put operations back into the queue whose lease ran out; a late run finds its epoch outdated.

    :returns: how many there were.
    """
    now = ctx.clock.now()
    with ctx.read() as session:
        late = [(row.id, row.vm, row.host, row.kind) for row in operations.overdue(session, now)]
    for operation, vm, host, kind in late:
        with ctx.write("operations") as session:
            if kind == "host.fence" and host is not None:
                hosts.lock(session, host)
            machine = None if vm is None else vms.lock(session, vm)
            row = operations.lock(session, operation)
            if row is None or row.lease_until is None or row.lease_until >= now:
                continue
            reason = f"the lease of {row.lease_owner} ran out"
            error = {"code": "minicloud.operation.lease_expired", "message": reason}
            deed = Deed.by(ctx, session, row.lease_owner or "", row.request_id)
            _count_ended(deed, [row])
            _conclude(deed, row, machine, Outcome("expired", error=error, retry=True))
    return len(late)


def _wake(ctx: Context, ended: Mapping[str, OperationRow]) -> None:
    """Somebody waits for a VM to make room: the reconciler is not to sleep when one has."""
    if any(row.reasons and row.reasons[0]["rule"] == MAKES_ROOM for row in ended.values()):
        ctx.hints.wake("observations")


def _finish(ctx: Context, session: Session, ends: Sequence[tuple[Claim, Outcome]]) -> Mapping[str, OperationRow]:
    """End those tries whose claims still hold. Locks in the order of all: hosts, VMs, operations, runs."""
    claims = [claim for claim, _outcome in ends]
    for host in sorted(str(claim.order["id"]) for claim in claims if claim.kind == "host.fence"):
        hosts.lock(session, host)
    machines = vms.lock_many(session, {claim.vm for claim in claims if claim.vm is not None})
    held = lease.held_rows(session, claims)
    _count_ended(Deed.of(ctx, session, SYSTEM), held.values())
    for claim, outcome in ends:
        row = held.get(claim.operation)
        if row is not None:
            deed = Deed.by(ctx, session, claim.owner, row.request_id)
            _conclude(deed, row, machines.get(row.vm or ""), outcome)
    return held


def _conclude(deed: Deed, row: OperationRow, vm: VmRow | None, outcome: Outcome) -> None:
    if outcome.kind == "succeeded":
        _succeed(deed, row, vm, outcome)
    elif (outcome.kind == "cancelled" or row.cancel_requested) and row.kind != "vm.delete":
        move_operation(deed, row, "cancelled", str(outcome.error.get("message", "")))
        row.error = dict(outcome.error)
        withdrawal.take_back(deed, row, vm)
    elif (outcome.retry or outcome.kind == "cancelled") and row.tries < tries_of(row.kind):
        _try_again(deed, row, outcome)
    else:
        _give_up(deed, row, vm, outcome)
    if vm is not None and row.exclusive and row.ended_at is not None:
        vm.settled_at = deed.at


def _succeed(deed: Deed, row: OperationRow, vm: VmRow | None, outcome: Outcome) -> None:
    row.result = dict(outcome.result)
    move_operation(deed, row, "succeeded")
    if row.kind == "host.fence":
        fencing.succeed(deed, row)
    if row.kind == "domain.purge":
        _forget_domain(deed.session, row, vm)
    if vm is None or not row.exclusive:
        return
    if row.kind == "vm.delete":
        _remove(deed, vm)
        return
    if row.kind == "vm.migrate":
        house_vm(deed, vm, row.destination, f"migrated by {row.id}")
        allocations.free(deed.session, vm.id, keep=row.destination)
    fallback = str(row.previous.get("status", "running")) if row.kind == "vm.migrate" else expected_state(row, vm)
    settle(deed, vm, STATUSES.get(str(outcome.result.get("state", "")), fallback))


def _try_again(deed: Deed, row: OperationRow, outcome: Outcome) -> None:
    wait = back_off(row.tries, deed.ctx.entropy.fraction())
    row.not_before = deed.at if outcome.kind == "expired" else deed.at + wait
    row.error = dict(outcome.error)
    reason = _reason(row, outcome)
    explain_operation(deed, row, reason)
    move_operation(deed, row, "queued", reason.message)


def _give_up(deed: Deed, row: OperationRow, vm: VmRow | None, outcome: Outcome) -> None:
    row.error, row.result = dict(outcome.error), dict(outcome.result) or None
    reason = _reason(row, outcome)
    explain_operation(deed, row, reason)
    move_operation(deed, row, "failed", reason.message)
    if row.kind == "host.fence":
        fencing.give_up(deed, row, reason.message)
    if vm is None or not row.exclusive:
        return
    found = str(outcome.result.get("state", ""))
    if row.kind == "vm.migrate":
        _stay(deed, row, vm, found, reason.message)
        return
    if row.kind == "vm.create" and (found == "absent" or not row.begun):
        # Only what provably runs nowhere gives its room back.
        allocations.free(deed.session, vm.id)
        house_vm(deed, vm, None, reason.message)
    settle(deed, vm, "error", reason.message, of_delete=row.kind == "vm.delete")


def _stay(deed: Deed, row: OperationRow, vm: VmRow, found: str, reason: str) -> None:
    """After a failed migration: where the run saw the VM at its source, there it is; else the observer will say."""
    if found in STATUSES:
        allocations.free(deed.session, vm.id, keep=row.host)
        settle(deed, vm, STATUSES[found], reason)
    else:
        settle(deed, vm, "unknown", reason)


def settle(deed: Deed, vm: VmRow, status: str, reason: str = "", *, of_delete: bool = False) -> None:
    """Give a VM the status that an operation left it in. One that is being deleted stays so, save by its delete."""
    if vm.status in ("deleting", "deleted") and not of_delete:
        return
    if vm.status == status or VM_TRANSITIONS.allows(vm.status, status):
        move_vm(deed, vm, status, reason)
    else:
        move_vm(deed, vm, "error", reason or f"found {status}, which {vm.status} cannot become")


def _remove(deed: Deed, vm: VmRow) -> None:
    if vm.yields_to is not None:
        # What it would have left for another is that one's, and nobody else's.
        heir = vms.find(deed.session, vm.yields_to)
        if heir is not None:
            allocations.hand_over(deed.session, vm.id, heir.id, (heir.cpu, heir.ram_mib))
        vm.yields_to = None
    allocations.free(deed.session, vm.id)
    move_vm(deed, vm, "deleted")
    house_vm(deed, vm, None)


def _forget_domain(session: Session, row: OperationRow, vm: VmRow | None) -> None:
    copy = None if vm is None or row.host is None else domains.find(session, row.host, vm.uuid)
    if copy is not None:
        session.delete(copy)


def _count_ended(deed: Deed, rows: Collection[OperationRow]) -> None:
    ended = Counter(row.run for row in rows if row.run is not None)
    for name, run in runs.lock_many(deed.session, ended).items():
        run.ended += ended[name]
        if run.ended >= run.operations:
            run.ended_at = deed.at


def _reason(row: OperationRow, outcome: Outcome) -> Reason:
    error: Mapping[str, Any] = outcome.error
    message = str(error.get("message") or outcome.kind)
    where = f" on {row.host}" if row.host else ""
    numbers = {"try": row.tries, "tries": tries_of(row.kind), "code": error.get("code", "")}
    return Reason(f"operation.{outcome.kind}", f"try {row.tries} of {tries_of(row.kind)}{where}: {message}", numbers)
