"""Leases: who carries an operation out, until when, and under which epoch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from minicloud_core.model.errors import ConflictError, LeaseLostError, NotFoundError
from minicloud_core.model.host import REACHABLE
from minicloud_core.model.operation import PLAYBOOKS
from minicloud_core.model.reason import Reason

from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import operation_event as operation_events
from minicloud.store import run as runs
from minicloud.store import vm as vms
from minicloud.store.host import HostRow
from minicloud.store.operation import HELD, OperationRow
from minicloud.store.run import RunRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import order, signature
from .authorisation import may_see, require_write
from .context import Actor, Context
from .state import Deed, explain_operation, move_operation
from .view.host import numbers_of
from .view.operation import (
    Claim,
    Connection,
    Entry,
    OperationView,
    Renewal,
    show_connection,
    show_operation,
)

CONTROL_NODE = "localhost"


def claim(
    ctx: Context, owner: str, limit: int, lease_seconds: float, kinds: Collection[str] | None = None
) -> tuple[Claim, ...]:
    """Lease queued operations that may be begun now, the most urgent first.

    An operation may be begun when its host is reachable (a fence: always), its time has come, and no earlier operation
    has its VM. Each claim takes the VM's next epoch.

    :param owner: the run's or runner's name.
    :param limit: the most to take.
    :param kinds: only those; None for all.
    """
    with ctx.write() as session:
        rows = operations.claimable(session, now=ctx.clock.now(), limit=limit, kinds=kinds)
        # Locked already, but for those that a purge only names: to wait for one while holding others could be for ever.
        found = vms.several(session, {row.vm for row in rows if row.vm is not None})
        places = hosts.named(session, {name for row in rows for name in (row.host, row.destination) if name})
        nodes = _nodes(session, found.values())
        work = [_Work.of(row, found.get(row.vm or ""), places, nodes) for row in rows]
        taken = [_take(ctx, session, one, owner, lease_seconds) for one in work]
        return tuple(one for one in taken if one is not None)


@dataclass(frozen=True)
class _Work:
    """An operation, and what it is about.

    :param nodes: by VM and host the NUMA nodes on which VMs lie, by their places among the host's.
    """

    row: OperationRow
    vm: VmRow | None
    host: HostRow | None
    destination: HostRow | None
    nodes: Mapping[tuple[str, str], Sequence[int]]

    @classmethod
    def of(
        cls,
        row: OperationRow,
        vm: VmRow | None,
        places: Mapping[str, HostRow],
        nodes: Mapping[tuple[str, str], Sequence[int]],
    ) -> _Work:
        return cls(row, vm, places.get(row.host or ""), places.get(row.destination or ""), nodes)

    @classmethod
    def find(cls, session: Session, row: OperationRow) -> _Work:
        vm = None if row.vm is None else vms.find(session, row.vm)
        places = hosts.named(session, {name for name in (row.host, row.destination) if name})
        return cls.of(row, vm, places, _nodes(session, [] if vm is None else [vm]))

    def numa(self, host: HostRow | None) -> tuple[int, ...]:
        """The numbers of a host's NUMA nodes on which the VM lies there, or is to lie."""
        if host is None or self.vm is None:
            return ()
        return numbers_of(host, self.nodes.get((self.vm.id, host.name), ()))


def _nodes(session: Session, found: Iterable[VmRow]) -> Mapping[tuple[str, str], Sequence[int]]:
    """The NUMA nodes on which VMs lie. Few ask for any, and nothing is read where none does."""
    seated = [vm.id for vm in found if (vm.spec.get("scheduling") or {}).get("numa")]
    return allocations.nodes(session, seated) if seated else {}


def _take(ctx: Context, session: Session, work: _Work, owner: str, lease_seconds: float) -> Claim | None:
    """Lease one queued operation, which is locked with its VM.

    :returns: None when it became pointless: a stale copy's purge on a host that the VM came back to.
    """
    row, vm = work.row, work.vm
    deed = Deed.by(ctx, session, owner, row.request_id)
    if row.kind == "domain.purge" and allocations.exists(session, row.vm or "", row.host or ""):
        move_operation(deed, row, "cancelled", "the VM belongs on that host again")
        return None
    if vm is None:
        row.epoch = (row.epoch or 0) + 1
    else:
        vm.epoch += 1 if row.exclusive else 0
        row.epoch = vm.epoch
    row.tries += 1
    row.lease_owner = owner
    row.lease_until = deed.at + timedelta(seconds=lease_seconds)
    move_operation(deed, row, "claimed", f"claimed by {owner}")
    return _build(ctx, work)


def take_by_hand(ctx: Context, session: Session, row: OperationRow, owner: str, lease_seconds: float) -> Claim:
    """Lease an operation to a terminal in the transaction that locked its VM. The terminal may begin at any moment.

    :raises ConflictError: when it cannot be begun now.
    """
    host = hosts.find(session, row.host or "")
    if row.host is not None and (host is None or host.state not in REACHABLE):
        state = "gone" if host is None else host.state
        raise ConflictError(
            f"{row.kind} cannot be claimed: host {row.host} is {state}", hint="leave it to the service, which waits"
        )
    if operations.has_predecessor(session, row):
        raise ConflictError(f"{row.kind} cannot be claimed: it waits for another operation", hint="try again later")
    taken = _take(ctx, session, _Work.find(session, row), owner, lease_seconds)
    if taken is None:
        raise ConflictError(f"{row.kind} cannot be claimed: there is nothing to do", hint="look at the operation")
    row.begun = True
    row.started_at = row.started_at or ctx.clock.now()
    return taken


def started(ctx: Context, claims: Sequence[Claim], run: str) -> tuple[Claim, ...]:
    """Say that a run is about to act. From here on its operations count as begun, whatever becomes of the run.

    :param run: the run's id.
    :returns: the claims that still hold; the run must leave the others alone.
    """
    with ctx.write() as session:
        rows = held_rows(session, claims)
        kept = [claim for claim in claims if claim.operation in rows]
        for claim in kept:
            row = rows[claim.operation]
            deed = Deed.by(ctx, session, claim.owner, row.request_id)
            if row.state == "claimed":
                move_operation(deed, row, "running", f"run {run}")
            row.begun, row.run = True, run
            row.started_at = row.started_at or deed.at
        _count_run(ctx, session, run, kept)
    return tuple(kept)


def renew(ctx: Context, claims: Sequence[Claim], lease_seconds: float) -> Renewal:
    """Prolong leases; see :class:`Renewal` for what to do about those not kept."""
    until = ctx.clock.now() + timedelta(seconds=lease_seconds)
    with ctx.store.write() as session:
        rows = held_rows(session, claims)
        for row in rows.values():
            row.lease_until = until
        cancelled = tuple(name for name, row in rows.items() if row.cancel_requested)
    lost = tuple(claim.operation for claim in claims if claim.operation not in rows)
    return Renewal(tuple(rows), lost, cancelled, until)


def cancelled(ctx: Context, claims: Sequence[Claim]) -> tuple[str, ...]:
    """Operations of the claims that somebody asked to cancel. Reads only: to be asked at every hint."""
    with ctx.read() as session:
        return tuple(operations.cancelled(session, [claim.operation for claim in claims]))


def append(ctx: Context, logs: Sequence[tuple[Claim, Sequence[Entry]]]) -> tuple[str, ...]:
    """Add to the logs of operations, all in one transaction: a run tells much the same of each that it carries.

    :returns: operations that are another's by now; nothing was added to theirs.
    """
    with ctx.write() as session:
        rows = held_rows(session, [claim for claim, _entries in logs])
        lines = [
            {"operation": claim.operation, "at": entry.at, "kind": entry.kind, "data": dict(entry.data)}
            for claim, entries in logs
            if claim.operation in rows
            for entry in entries
        ]
        operation_events.add(session, lines)
    return tuple(claim.operation for claim, _entries in logs if claim.operation not in rows)


def release(ctx: Context, claim: Claim, reason: str) -> None:
    """Give a claim back that no run began, so that another may take it at once.

    :raises LeaseLostError: when the operation is another's by now.
    """
    with ctx.write("operations") as session:
        row = held_row(session, claim)
        deed = Deed.by(ctx, session, claim.owner, row.request_id)
        row.tries -= 1
        explain_operation(deed, row, Reason("operation.released", reason))
        move_operation(deed, row, "queued", reason)


def held_row(session: Session, claim: Claim) -> OperationRow:
    """The claim's operation, locked with its VM.

    :raises LeaseLostError: when the lease is no longer the claim's.
    """
    if claim.vm is not None:
        vms.lock(session, claim.vm)
    row = operations.lock(session, claim.operation)
    if row is None or not _is_of(row, claim):
        raise lost(claim, None if row is None else row.epoch)
    return row


def held_rows(session: Session, claims: Sequence[Claim]) -> dict[str, OperationRow]:
    """The operations of those claims that still hold, locked."""
    rows = operations.lock_many(session, [claim.operation for claim in claims])
    return {
        claim.operation: rows[claim.operation]
        for claim in claims
        if claim.operation in rows and _is_of(rows[claim.operation], claim)
    }


def lost(claim: Claim, epoch: int | None) -> LeaseLostError:
    """What to raise for a claim that no longer holds; ``epoch`` is its operation's now."""
    return LeaseLostError(
        f"{claim.operation} is no longer {claim.owner}'s under epoch {claim.epoch}",
        hint="stop and write nothing; whoever took over reports",
        details={"operation": claim.operation, "epoch": claim.epoch, "current_epoch": epoch},
    )


def lease(ctx: Context, actor: Actor, operation: str, epoch: int, lease_seconds: float = 60) -> OperationView:
    """Prolong the lease of an operation that a terminal claimed.

    :raises NotFoundError: when there is no such operation, or it is not the actor's to see.
    :raises LeaseLostError: when the epoch is no longer the operation's.
    """
    held = by_epoch(ctx, actor, operation, epoch)
    with ctx.write() as session:
        row = held_row(session, held)
        deed = Deed.of(ctx, session, actor)
        if row.state == "claimed":
            move_operation(deed, row, "running", "its terminal is at work")
        row.lease_until = deed.at + timedelta(seconds=lease_seconds)
        return show_operation(row)


def by_epoch(ctx: Context, actor: Actor, operation: str, epoch: int) -> Claim:
    """The claim that a terminal holds, by what it knows of it.

    :raises NotFoundError: when there is no such operation, or it is not the actor's to see.
    :raises LeaseLostError: when the epoch is no longer the operation's.
    """
    require_write(actor)
    with ctx.read() as session:
        row = operations.find(session, operation)
        if row is None or not may_see(actor, row.project):
            raise NotFoundError(f"There is no operation {operation}")
        if row.state not in HELD or row.epoch != epoch:
            raise LeaseLostError(
                f"{operation} is {row.state}, not held under epoch {epoch}",
                hint="stop and write nothing; whoever took over reports",
                details={"operation": operation, "epoch": epoch, "current_epoch": row.epoch},
            )
        return _build(ctx, _Work.find(session, row))


def _is_of(row: OperationRow, claim: Claim) -> bool:
    return (
        row.state in HELD and row.epoch == claim.epoch and row.tries == claim.attempt and row.lease_owner == claim.owner
    )


def _build(ctx: Context, work: _Work) -> Claim:
    row, vm, host, destination = work.row, work.vm, work.host, work.destination
    assert row.lease_owner is not None and row.lease_until is not None and row.epoch is not None
    now = ctx.clock.now()

    def sign(image: str, file: str) -> str:
        return signature.signed_url(ctx.settings.base_url, ctx.signing_key, image, file, now)

    image = None
    if row.kind == "host.fence":
        assert host is not None
        content = order.fence_order(row, host)
    elif row.kind == "vm.migrate":
        assert vm is not None and destination is not None
        content = order.migration_order(row, vm, destination, work.numa(destination))
        image = order.signed_image(vm, sign).to_mapping()
    else:
        assert vm is not None
        content = order.vm_order(row, vm, sign, work.numa(host))
    local = row.kind == "host.fence"
    assert local or host is not None
    return Claim(
        operation=row.id,
        kind=row.kind,
        vm=row.vm,
        host=CONTROL_NODE if local or host is None else host.name,
        owner=row.lease_owner,
        epoch=row.epoch,
        attempt=row.tries,
        order=content,
        playbook=PLAYBOOKS[row.kind],
        connection=Connection(CONTROL_NODE, CONTROL_NODE, local=True)
        if local or host is None
        else show_connection(host),
        lease_until=row.lease_until,
        destination=None if destination is None else show_connection(destination),
        image=image,
    )


def _count_run(ctx: Context, session: Session, run: str, claims: Sequence[Claim]) -> None:
    if not claims:
        return
    row = runs.lock(session, run)
    if row is None:
        first, at = claims[0], ctx.clock.now()
        row = RunRow(id=run, playbook=first.playbook, owner=first.owner, operations=0, ended=0, started_at=at)
        session.add(row)
    row.operations += len(claims)
