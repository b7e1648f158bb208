"""Placements: asking where a VM would go, why it went where it is, and placing it again."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as with_changes

from minicloud_core.model.errors import NoCapacityError, NotFoundError
from minicloud_core.model.host import PLACEABLE
from minicloud_core.model.operation import OPEN, UNCLAIMED
from minicloud_core.model.reason import Reason
from minicloud_core.model.vm import VmSpec
from minicloud_core.scheduler.decision import Decision

from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store import image as images
from minicloud.store import operation as operations
from minicloud.store import placement as placements
from minicloud.store import project as projects
from minicloud.store import vm as vms
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import allocation, priority
from .authorisation import project_of, resolve_vm
from .command import create_command
from .context import SYSTEM, Actor, Context
from .snapshot import request_of, take_snapshot
from .state import Deed, explain_operation, house_vm, move_operation
from .view.operation import OperationView, show_operation
from .view.placement import PlacementView, show_placement
from .vm_wish import VmWish, image_of

__all__ = ["PlacementView", "decide", "explain", "replace"]


def decide(ctx: Context, actor: Actor, spec: VmSpec, *, project: str | None = None) -> Decision:
    """Where a VM would go now. Nothing is written; a decision without a host says why.

    :raises NotFoundError: when there is no such project for the actor.
    :raises InputError: when the image does not exist or the VM is too small for it, or its project may not ask for its
        priority.
    """
    with ctx.read() as session:
        name = project_of(actor, project)
        row = projects.find(session, name)
        if row is None:
            raise NotFoundError(f"There is no project {name}")
        spec = priority.settled(spec, ctx.policy.current().priority_classes, row)
        image = image_of(session, spec, images.find(session, spec.image))
        return allocation.rehearse(ctx, session, VmWish(actor, spec, name), image)


def explain(ctx: Context, actor: Actor, reference: str, *, project: str | None = None) -> tuple[PlacementView, ...]:
    """Every decision about a VM, the newest first.

    :raises NotFoundError: when there is no such VM for the actor.
    """
    with ctx.read() as session:
        vm = resolve_vm(session, actor, reference, project=project)
        return tuple(show_placement(row) for row in placements.of_vm(session, vm.id))


def replace(ctx: Context, operation: str, reason: Reason | None = None) -> OperationView | None:
    """Place a create again, away from its host: one whose host is down, or that no run ever began.

    :param reason: why; None for one made from the host's state.
    :returns: the operation on its new host; None when it is not (or no longer) such a create, or no host can take it,
        in which case it waits where it is, and its reasons say so.
    """
    with ctx.read() as session:
        row = operations.find(session, operation)
        vm = None if row is None or row.vm is None else vms.find(session, row.vm)
        if row is None or vm is None or row.host is None or not _is_stranded(session, row):
            return None
        old = row.host
        spec = VmSpec.from_stored(vm.spec)
        move = _Replacement(ctx, operation, vm.id, old, reason)
        snapshot = take_snapshot(session, ctx.clock.now())
        asked = request_of(vm.id, vm, snapshot.names)
        request = with_changes(asked, host=spec.host, exclude=frozenset({old}))
    try:
        answer = allocation.take(ctx, request, snapshot.fleet, prepare=lambda _session: None, commit=move.commit)
    except NoCapacityError as error:
        move.note_refusal(error)
        return None
    return answer.operation


@dataclass(frozen=True)
class _Moved:
    operation: OperationView | None


@dataclass(frozen=True)
class _Replacement:
    """One create that goes elsewhere: decided while it was bound for ``old``."""

    ctx: Context
    operation: str
    vm: str
    old: str
    reason: Reason | None

    def commit(self, session: Session, decision: Decision, nodes: allocation.Nodes) -> _Moved:
        assert decision.host is not None
        deed = Deed.of(self.ctx, session, SYSTEM)
        vm, row = vms.lock(session, self.vm), operations.lock(session, self.operation)
        if vm is None or row is None or row.host != self.old or not _is_stranded(session, row):
            return _Moved(None)
        deed = with_changes(deed, request_id=row.request_id)
        reason = self._reason(session, row, decision.host)
        allocations.free(session, vm.id)
        allocation.allocate(deed, vm, decision.host, nodes)
        allocation.keep(deed, vm, row, decision)
        self._redirect(deed, vm, row, decision.host, reason)
        return _Moved(show_operation(row))

    def note_refusal(self, error: NoCapacityError) -> None:
        """Say once in the operation's reasons that it has nowhere to go."""
        with self.ctx.write() as session:
            vms.lock(session, self.vm)
            row = operations.lock(session, self.operation)
            if row is None or row.state not in OPEN:
                return
            if not row.reasons or row.reasons[-1]["rule"] != "placement.no_capacity":
                reason = Reason("placement.no_capacity", f"waits for {self.old}: {error.message}", error.details)
                explain_operation(Deed.of(self.ctx, session, SYSTEM), row, reason)

    def _redirect(self, deed: Deed, vm: VmRow, row: OperationRow, host: str, reason: Reason) -> None:
        # Whoever still carries it out on the old host holds an epoch that is over.
        vm.epoch += 1
        row.epoch, row.host = vm.epoch, host
        row.begun, row.tries, row.not_before = False, 0, deed.at
        row.command = create_command(VmSpec.from_stored(vm.spec), vm.project, host)
        explain_operation(deed, row, reason)
        if row.state == "waiting":
            row.after, vm.status_reason = None, ""
        if row.state != "queued":
            move_operation(deed, row, "queued", reason.message)
        house_vm(deed, vm, host, reason.message)

    def _reason(self, session: Session, row: OperationRow, new: str) -> Reason:
        host = hosts.find(session, self.old)
        state = "gone" if host is None else host.state
        numbers = {"from": self.old, "to": new, "state": state}
        if self.reason is not None:
            return Reason(
                self.reason.rule, f"{self.reason.message}; placed on {new}", {**self.reason.numbers, **numbers}
            )
        what = "went down" if state == "down" else f"became {state}"
        when = "before the domain ran" if row.begun else "before any run began"
        return Reason(f"host.{state}", f"host {self.old} {what} {when}; placed on {new}", numbers)


def _is_stranded(session: Session, row: OperationRow) -> bool:
    """Whether a create may go elsewhere without risking a second copy."""
    if row.kind != "vm.create" or row.state not in OPEN or row.previous or row.cancel_requested:
        return False
    host = hosts.find(session, row.host or "")
    if host is None or host.state == "down":
        return True
    return row.state in UNCLAIMED and not row.begun and host.state not in PLACEABLE
