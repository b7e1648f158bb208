"""What is not as desired, and what would put it right. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from minicloud_core.model.reason import Reason

from minicloud.services.view.fleet import CorrectVm, FleetDomain, FleetState, FleetVm, PurgeDomain

# The verb that leads from what is observed towards what is desired; pairs that are missing need none.
_CORRECTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("running", "stopped"): "start",
    ("running", "crashed"): "start",
    ("running", "paused"): "resume",
    ("running", "absent"): "define",
    ("stopped", "running"): "stop",
    ("stopped", "paused"): "stop",
    ("stopped", "crashed"): "stop",
    ("stopped", "absent"): "define",
    ("paused", "running"): "pause",
    ("paused", "stopped"): "start",  # nothing can be paused but what runs
    ("paused", "crashed"): "start",
    ("paused", "absent"): "define",
}
# Verbs that put a second copy into the world where another lives on unseen.
_MULTIPLYING: Final = frozenset({"start", "define", "resume"})
# A host that came back from the dead becomes ready once its stale copies are gone.
_PURGEABLE: Final = frozenset({"ready", "registering"})


def plan_corrections(state: FleetState, *, fresh: timedelta, limit: int) -> tuple[CorrectVm, ...]:
    """Corrections for VMs that their hosts show otherwise than desired.

    A VM is left alone while an operation is open for it, it is to make room for another, its host is not ready, its
    host's last word is older than ``fresh`` or than the VM's last operation, its back-off has not passed, or a copy of
    it may run elsewhere.

    :param limit: the most to plan; VMs that were corrected least come first.
    """
    elsewhere = _copies(state.domains)
    corrections = []
    for vm in sorted(state.vms, key=lambda one: (one.attempts, one.id)):
        correction = _correct(vm, elsewhere.get(vm.id, ()), state.at, fresh)
        if correction is not None:
            corrections.append(correction)
    return tuple(corrections[:limit])


def plan_purges(state: FleetState, *, fresh: timedelta, limit: int) -> tuple[PurgeDomain, ...]:
    """Removals of copies that a host still has of VMs that are deleted or live elsewhere.

    A copy goes only when it is older than the VM's present epoch and was seen after the VM came to rest.
    """
    vms = {vm.id: vm for vm in state.vms}
    purges = [
        PurgeDomain(copy.host, copy.vm, copy.uuid, _why_purge(copy))
        for copy in sorted(state.domains, key=lambda one: (one.vm, one.host))
        if _is_stale(copy, vms.get(copy.vm), state.at, fresh)
    ]
    return tuple(purges[:limit])


def _correct(vm: FleetVm, copies: Iterable[FleetDomain], now: datetime, fresh: timedelta) -> CorrectVm | None:
    if vm.operation is not None or vm.yields_to is not None or (vm.not_before is not None and vm.not_before > now):
        return None
    if vm.desired == "absent":
        return _delete(vm)
    if not _is_told(vm, now, fresh):
        return None
    verb = _CORRECTIONS.get((vm.desired, vm.observed_state or ""))
    if verb is None or (verb in _MULTIPLYING and any(copy.state != "stopped" for copy in copies)):
        return None
    message = f"desired {vm.desired}, but {vm.host} shows it {vm.observed_state}"
    numbers = {"desired": vm.desired, "observed": vm.observed_state, "attempts": vm.attempts}
    return CorrectVm(vm.id, verb, Reason("drift", message, numbers))


def _delete(vm: FleetVm) -> CorrectVm | None:
    """A VM that should be gone and for which nobody is at work: its delete failed."""
    if vm.host is not None and vm.host_state != "ready":
        return None
    where = f"it is still on {vm.host}" if vm.host else "it is still recorded"
    return CorrectVm(vm.id, "delete", Reason("drift", f"desired absent, but {where}", {"attempts": vm.attempts}))


def _is_told(vm: FleetVm, now: datetime, fresh: timedelta) -> bool:
    """Whether the host has spoken of the VM lately, and since its last operation."""
    if vm.host is None or vm.host_state != "ready" or vm.observed_at is None:
        return False
    settled = vm.settled_at is None or vm.observed_at > vm.settled_at
    return settled and now - vm.observed_at <= fresh


def _copies(domains: Iterable[FleetDomain]) -> dict[str, list[FleetDomain]]:
    """Copies out of place that may be alive: those on a host whose power is off are not."""
    copies: dict[str, list[FleetDomain]] = defaultdict(list)
    for copy in domains:
        if copy.host_state != "down":
            copies[copy.vm].append(copy)
    return copies


def _is_stale(copy: FleetDomain, vm: FleetVm | None, now: datetime, fresh: timedelta) -> bool:
    if copy.purge_operation is not None or copy.host_state not in _PURGEABLE or now - copy.seen_at > fresh:
        return False
    if copy.epoch >= copy.vm_epoch or copy.vm_host == copy.host:
        return False
    if vm is None:
        return True
    return vm.operation is None and (vm.settled_at is None or copy.seen_at > vm.settled_at)


def _why_purge(copy: FleetDomain) -> Reason:
    where = f"{copy.vm} lives on {copy.vm_host} now" if copy.vm_host else f"{copy.vm} is deleted"
    message = f"{copy.host} still has a copy of epoch {copy.epoch}, but {where}, at epoch {copy.vm_epoch}"
    return Reason("drift.stale_copy", message, {"epoch": copy.epoch, "vm_epoch": copy.vm_epoch})
