"""Reading the fleet whole, as the reconciler sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from minicloud_core.model.host import PLACEABLE
from minicloud_core.model.operation import UNCLAIMED

from minicloud.store import allocation as allocations
from minicloud.store import domain as domains
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.domain import DomainRow
from minicloud.store.host import HostRow
from minicloud.store.operation import OperationRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from .view.fleet import FleetCreate, FleetDomain, FleetHost, FleetState, FleetVm, FleetWait


def read(session: Session, now: datetime) -> FleetState:
    places = {row.name: row for row in hosts.everything(session)}
    living = vms.alive(session)
    under_way = operations.open_of_vms(session)
    return FleetState(
        at=now,
        vms=tuple(_vm(vm, places, under_way.get(vm.id)) for vm in living),
        hosts=tuple(_host(session, row) for row in places.values()),
        domains=_strays(session, places),
        creates=_stranded(session, places),
        waits=_waits(session),
    )


def _vm(vm: VmRow, places: Mapping[str, HostRow], operation: OperationRow | None) -> FleetVm:
    home = places.get(vm.host or "")
    return FleetVm(
        id=vm.id,
        name=vm.name,
        desired=vm.aim,
        status=vm.status,
        host=vm.host,
        host_state=None if home is None else home.state,
        operation=None if operation is None else operation.kind,
        observed_state=vm.observed_state,
        observed_at=vm.observed_at,
        settled_at=vm.settled_at,
        attempts=vm.correction_attempts,
        not_before=vm.correction_not_before,
        yields_to=vm.yields_to,
        preempted_at=None if vm.preempted is None else datetime.fromisoformat(vm.preempted["at"]),
        wanted=vm.desired,
        priority=vm.priority,
        number=vm.number,
    )


def _waits(session: Session) -> tuple[FleetWait, ...]:
    """Creates that wait for others to make room."""
    return tuple(
        FleetWait(row.id, row.vm, row.host)
        for row in operations.waiting(session)
        if row.vm is not None and row.host is not None
    )


def _host(session: Session, row: HostRow) -> FleetHost:
    fences = operations.open_of_kind(session, "host.fence", host=row.name)
    return FleetHost(
        name=row.name,
        state=row.state,
        cordoned=row.cordoned,
        observed_at=row.observed_at,
        silent_since=row.silent_since,
        silence_reason=row.silence_reason,
        fence=row.fence is not None,
        fence_operation=fences[0].id if fences else None,
        fence_not_before=row.fence_not_before,
    )


def _strays(session: Session, places: Mapping[str, HostRow]) -> tuple[FleetDomain, ...]:
    """Domains of ours that are not where they belong. Those whose VM nobody knows are left for a recovery."""
    seen = domains.managed(session)
    owners = vms.by_uuids(session, {row.uuid for row in seen})
    shares = {(row.vm, row.host) for row in allocations.everything(session)}
    purges = {(row.vm, row.host): row.id for row in operations.open_of_kind(session, "domain.purge")}
    return tuple(
        _stray(row, owners[row.uuid], places[row.host], purges.get((owners[row.uuid].id, row.host)))
        for row in seen
        if row.uuid in owners and _is_out_of_place(row, owners[row.uuid], shares)
    )


def _is_out_of_place(row: DomainRow, vm: VmRow, shares: Collection[tuple[str, str]]) -> bool:
    return vm.deleted_at is not None or (vm.host != row.host and (vm.id, row.host) not in shares)


def _stray(row: DomainRow, vm: VmRow, place: HostRow, purge: str | None) -> FleetDomain:
    return FleetDomain(
        host=row.host,
        host_state=place.state,
        uuid=row.uuid,
        vm=vm.id,
        state=row.state,
        epoch=row.epoch or 0,
        vm_epoch=vm.epoch,
        vm_host=None if vm.deleted_at is not None else vm.host,
        seen_at=row.seen_at,
        purge_operation=purge,
    )


def _stranded(session: Session, places: Mapping[str, HostRow]) -> tuple[FleetCreate, ...]:
    """Creates whose host can take nothing now; a create that makes an old VM's domain again has nowhere else to go."""
    creates = []
    for row in operations.open_of_kind(session, "vm.create"):
        place = places.get(row.host or "")
        if row.vm is None or row.host is None or row.previous or (place is not None and place.state in PLACEABLE):
            continue
        creates.append(
            FleetCreate(
                operation=row.id,
                vm=row.vm,
                host=row.host,
                host_state="gone" if place is None else place.state,
                begun=row.begun or row.state not in UNCLAIMED,
                created_at=row.created_at,
            )
        )
    return tuple(creates)
