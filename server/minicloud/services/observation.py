"""Observations: what hosts say of themselves, written down, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from minicloud_core.model.vm import VM_TRANSITIONS

from minicloud.store import allocation as allocations
from minicloud.store import domain as domains
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.domain import DomainRow
from minicloud.store.host import HostRow
from minicloud.store.store import Session
from minicloud.store.vm import VmRow

from .context import SYSTEM, Context
from .state import Deed, emit_host, house_vm, move_host, move_vm
from .view.observation import DomainObservation, HostObservation

# What a host's word on a domain means for its VM.
STATUSES: Final = {
    "running": "running",
    "stopped": "stopped",
    "paused": "paused",
    "crashed": "stopped",
    "absent": "unknown",
}
# Of a measurement, after the point.
_DIGITS: Final = 4
# A VM that was as desired for so long is no longer one that keeps falling over.
STEADY: Final = timedelta(minutes=5)


def record(ctx: Context, observation: HostObservation) -> bool:
    """Write down what a host shows, and let its VMs' status follow where no operation is open.

    :returns: False when it was no news: the host is unknown, or its state changed after the look was taken.
    """
    with ctx.write("observations", "operations") as session:
        host = hosts.lock(session, observation.host)
        if host is None or observation.at < host.state_at or _is_older(observation.at, host.observed_at):
            return False
        deed = Deed.of(ctx, session, SYSTEM)
        _measure(deed, host, observation)
        ours = {domain.uuid: domain for domain in observation.domains if domain.metadata is not None}
        there = vms.by_uuids(session, ours.keys())
        here = vms.on_host(session, host.name)
        sharing = [row.vm for row in allocations.on_host(session, host.name)]
        touched = vms.lock_many(session, {*(vm.id for vm in here), *(vm.id for vm in there.values()), *sharing})
        _write_domains(session, host.name, observation)
        busy = operations.open_of_vms(session)
        for vm in touched.values():
            _see(deed, vm, host, ours.get(vm.uuid), observation.at, busy=vm.id in busy)
        stale = [vm for vm in touched.values() if _is_stale(session, vm, host, ours.get(vm.uuid))]
        _greet(deed, host, [vm.id for vm in stale])
    return True


def record_silence(ctx: Context, host: str, reason: str, at: datetime | None = None) -> bool:
    """Write down that a host does not answer: it is suspected, and what its VMs do is unknown.

    :param reason: what failed, in the words of who tried.
    :param at: when; None for now.
    :returns: False when it was no news: the host is unknown, or has answered since.
    """
    with ctx.write("observations") as session:
        row = hosts.lock(session, host)
        deed = Deed.of(ctx, session, SYSTEM)
        moment = at or deed.at
        if row is None or _is_older(moment, row.observed_at):
            return False
        row.silence_reason = reason
        if row.silent_since is None:
            row.silent_since = moment
            emit_host(deed, row, "host.silent", reason, {})
        if row.state == "ready":
            move_host(deed, row, "suspect", reason)
        if row.state == "suspect":
            _doubt(deed, row)
    return True


def _listed(names: Iterable[str] | None) -> list[str] | None:
    """What nobody has looked at is something else than what is empty."""
    return None if names is None else [*names]


def _is_older(at: datetime, than: datetime | None) -> bool:
    return than is not None and at < than


def _measure(deed: Deed, host: HostRow, observation: HostObservation) -> None:
    """The observer's columns. What placement reads of them makes earlier decisions void, save what only tells which of
    several hosts would do better: the load, and the images that are there."""
    measured = {
        "cpu": observation.cpu,
        "ram_mib": observation.ram_mib,
        "disk_bytes": observation.disk_bytes,
        "architecture": observation.architecture,
        "accelerator": observation.accelerator,
        "versions": dict(observation.versions),
        "cpu_features": [*observation.cpu_features],
        "networks": _listed(observation.networks),
        "pools": None if observation.pools is None else dict(observation.pools),
        "numa": None if observation.numa is None else [asdict(node) for node in observation.numa],
        "machines": _listed(observation.machines),
    }
    if any(getattr(host, column) != value for column, value in measured.items()):
        for column, value in measured.items():
            setattr(host, column, value)
        host.generation += 1
        host.updated_at = deed.at
    host.images = _listed(observation.images)
    if observation.load is not None:
        host.load, host.load_at = observation.load, observation.at
        told = asdict(observation.measured)
        host.measured = {name: round(value, _DIGITS) for name, value in told.items() if value is not None}
    host.observed_at = observation.at
    host.silent_since, host.silence_reason = None, ""


def _write_domains(session: Session, host: str, observation: HostObservation) -> None:
    rows = {row.uuid: row for row in domains.on_host(session, host)}
    seen = {domain.uuid: domain for domain in observation.domains}
    for uuid, row in rows.items():
        if uuid not in seen:
            session.delete(row)
    for uuid, domain in seen.items():
        row = rows.get(uuid) or DomainRow(host=host, uuid=uuid)
        _write_domain(row, domain, observation.at)
        session.add(row)


def _write_domain(row: DomainRow, domain: DomainObservation, at: datetime) -> None:
    metadata = domain.metadata
    row.name, row.state, row.seen_at = domain.name, domain.state, at
    row.cpu, row.ram_mib, row.cpu_time_ns = domain.cpu, domain.ram_mib, domain.cpu_time_ns
    row.managed = metadata is not None
    row.vm = None if metadata is None else metadata.id
    row.project = None if metadata is None else metadata.project
    row.spec_hash = None if metadata is None else metadata.spec_hash
    row.epoch = None if metadata is None else metadata.epoch


def _see(deed: Deed, vm: VmRow, host: HostRow, domain: DomainObservation | None, at: datetime, *, busy: bool) -> None:
    """Take in one VM that lives, has room, or shows itself on the host."""
    settled = not busy and vm.deleted_at is None and not _is_older(at, vm.settled_at)
    if vm.host != host.name:
        if settled:
            _settle_share(deed, vm, host.name, domain)
        if vm.host != host.name:
            return
    vm.observed_state = "absent" if domain is None else domain.state
    vm.observed_host, vm.observed_at = host.name, at
    if domain is not None:
        vm.cpu_time_ns = domain.cpu_time_ns
        if domain.addresses and tuple(vm.addresses) != domain.addresses:
            vm.addresses = [*domain.addresses]
    if settled:
        _follow(deed, vm)


def _settle_share(deed: Deed, vm: VmRow, host: str, domain: DomainObservation | None) -> None:
    """A migration ended without word, and left the VM room on two hosts: give back what it does not use."""
    if not allocations.exists(deed.session, vm.id, host):
        return
    if domain is None:
        allocations.free(deed.session, vm.id, host=host)
    elif domain.state in ("running", "paused") and vm.observed_state in ("absent", "stopped"):
        house_vm(deed, vm, host, f"found {domain.state} on {host}")
        allocations.free(deed.session, vm.id, keep=host)


def _follow(deed: Deed, vm: VmRow) -> None:
    status = STATUSES.get(vm.observed_state or "")
    if status is None or vm.status in ("deleting", "deleted") or vm.desired == "absent":
        return
    if vm.status == "error" and status != vm.desired:
        # The reason for the error is worth more than what the host shows of it.
        return
    if vm.status != status and VM_TRANSITIONS.allows(vm.status, status):
        move_vm(deed, vm, status, _why(vm))
    if vm.status == vm.desired and vm.correction_attempts and _is_steady(deed, vm):
        vm.correction_attempts, vm.correction_not_before = 0, None


def _why(vm: VmRow) -> str:
    if vm.observed_state == "absent":
        return f"its domain is gone from {vm.host}"
    if vm.observed_state == "crashed":
        return f"it crashed on {vm.host}"
    return f"seen {vm.observed_state} on {vm.host}"


def _is_steady(deed: Deed, vm: VmRow) -> bool:
    return vm.settled_at is None or deed.at - vm.settled_at >= STEADY


def _is_stale(session: Session, vm: VmRow, host: HostRow, domain: DomainObservation | None) -> bool:
    """Whether the host has a copy of a VM that lives elsewhere now, or nowhere."""
    if domain is None or domain.metadata is None or domain.metadata.epoch >= vm.epoch:
        return False
    if vm.deleted_at is not None:
        return True
    return vm.host != host.name and not allocations.exists(session, vm.id, host.name)


def _greet(deed: Deed, host: HostRow, stale: list[str]) -> None:
    """A host that answers is ready; one that comes back from the dead is rid of stale copies first."""
    if host.state == "down":
        move_host(deed, host, "registering", "it answers again")
    if host.state == "registering" and stale:
        host.state_reason = f"stale copies of {', '.join(stale)} are to be removed first"
    elif host.state in ("registering", "suspect"):
        move_host(deed, host, "ready", "it answers")


def _doubt(deed: Deed, host: HostRow) -> None:
    there = vms.lock_many(deed.session, [row.id for row in vms.on_host(deed.session, host.name)])
    busy = operations.open_of_vms(deed.session)
    for vm in there.values():
        if vm.id not in busy and vm.status != "error" and VM_TRANSITIONS.allows(vm.status, "unknown"):
            move_vm(deed, vm, "unknown", f"{host.name} does not answer: {host.silence_reason}")
