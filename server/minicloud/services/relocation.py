"""Moving VMs between hosts while they run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from minicloud_core.model.errors import BusyError
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.request import Request

from minicloud.store import allocation as allocations
from minicloud.store import domain as domains
from minicloud.store import operation as operations
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from . import allocation
from .authorisation import resolve_vm
from .command import change_command
from .queue import Draft, enqueue
from .snapshot import Snapshot, request_of, take_snapshot
from .state import Deed, move_vm
from .verb import Change, check_free, check_possible, locked
from .view.vm import VmChange, show_vm


def migrate(wish: Change, reference: str, *, project: str | None, dry_run: bool) -> VmChange:
    """Migrate a VM to the host that is asked for, or to one that the scheduler picks; see :func:`change.change`."""
    with wish.ctx.read() as session:
        recalled = wish.recalled(session, lock=False)
        if recalled is not None:
            return recalled
        vm = resolve_vm(session, wish.actor, reference, project=project)
        relocation = _Relocation(wish, vm.id, vm.host or "")
        if vm.host is not None and wish.arguments.get("host") == vm.host:
            return VmChange(show_vm(vm), None, changed=False)
        relocation.check(session, vm)
        snapshot = take_snapshot(session, wish.ctx.clock.now())
        request = _request(session, vm, wish.arguments, snapshot)
        if dry_run:
            return relocation.rehearse(vm, request, snapshot)
    return allocation.take(wish.ctx, request, snapshot.fleet, prepare=wish.recalled, commit=relocation.commit)


@dataclass(frozen=True)
class _Relocation:
    """One migration under way: decided while the VM was on ``source``."""

    wish: Change
    vm: str
    source: str

    def check(self, session: Session, vm: VmRow) -> str:
        check_free(vm, operations.open_of_vm(session, vm.id))
        return check_possible(vm, "migrate")

    def rehearse(self, vm: VmRow, request: Request, snapshot: Snapshot) -> VmChange:
        decision = allocation.decide(self.wish.ctx, snapshot.fleet, request)
        if decision.host is None:
            raise decision.no_capacity()
        view = replace(show_vm(vm), status="migrating")
        return VmChange(view, None, changed=True, placement=decision.to_mapping())

    def commit(self, session: Session, decision: Decision, nodes: allocation.Nodes) -> VmChange:
        """Take the second share, and queue the migration. Hosts are locked before the VM."""
        assert decision.host is not None
        wish, deed = self.wish, Deed.of(self.wish.ctx, session, self.wish.actor)
        vm = locked(session, self.vm)
        if vm.host != self.source:
            raise BusyError(f"VM {vm.name} ({vm.id}) moved to {vm.host} meanwhile", hint="try again")
        status = self.check(session, vm)
        previous = {"status": vm.status, "desired": vm.desired}
        allocation.allocate(deed, vm, decision.host, nodes)
        arguments = {**wish.arguments, "host": decision.host}
        draft = Draft(
            wish.kind,
            self.source,
            change_command(wish.kind, vm.name, vm.project, arguments),
            vm=vm,
            destination=decision.host,
            arguments=arguments,
            previous=previous,
            reason=wish.reason,
        )
        operation = enqueue(deed, draft)
        move_vm(deed, vm, status, f"to {decision.host}")
        allocation.keep(deed, vm, operation, decision)
        return replace(wish.finish(deed, vm, operation), placement=decision.to_mapping())


def _request(session: Session, vm: VmRow, arguments: Mapping[str, Any], snapshot: Snapshot) -> Request:
    """Anywhere but where it is, and where something of it may still be."""
    elsewhere = {row.host for row in allocations.of_vm(session, vm.id)}
    elsewhere |= {row.host for row in domains.of_uuid(session, vm.uuid)}
    elsewhere |= {row.host for row in operations.open_of_kind(session, "domain.purge", vm=vm.id) if row.host}
    exclude = frozenset(elsewhere | {vm.host or ""})
    request = request_of(vm.id, vm, snapshot.names)
    return replace(request, host=arguments.get("host"), exclude=exclude, source=vm.host)
