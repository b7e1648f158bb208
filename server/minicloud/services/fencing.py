"""What a fence's end means for the host and the VMs there."""

from __future__ import annotations

from minicloud_core.model.vm import VM_TRANSITIONS

from minicloud.store import domain as domains
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store import vm as vms
from minicloud.store.host import HostRow
from minicloud.store.operation import OperationRow

from .retry import back_off
from .state import Deed, emit_host, move_host, move_vm

AGAIN_FIRST_SECONDS = 30.0
AGAIN_LONGEST_SECONDS = 600.0


def succeed(deed: Deed, row: OperationRow) -> None:
    """The power is proven off: nothing runs there, and what was seen there is no more. The host is locked."""
    host = _host(deed, row)
    if host is None:
        return
    reason = f"{host.name} was fenced: its power is off"
    host.fence_not_before = None
    domains.forget(deed.session, host.name)
    if host.state == "fencing":
        move_host(deed, host, "down", reason)
    there = vms.lock_many(deed.session, [vm.id for vm in vms.on_host(deed.session, host.name)])
    busy = operations.open_of_vms(deed.session)
    for vm in there.values():
        if vm.id not in busy and VM_TRANSITIONS.allows(vm.status, "lost"):
            move_vm(deed, vm, "lost", reason)


def give_up(deed: Deed, row: OperationRow, reason: str) -> None:
    """The power may be on: the host stays suspected, and is left alone for a while. The host is locked."""
    host = _host(deed, row)
    if host is None:
        return
    host.fence_not_before = deed.at + back_off(
        row.tries, deed.ctx.entropy.fraction(), first=AGAIN_FIRST_SECONDS, longest=AGAIN_LONGEST_SECONDS
    )
    if host.state == "fencing":
        move_host(deed, host, "suspect", reason)
    else:
        emit_host(deed, host, "host.fence", reason, {})


def _host(deed: Deed, row: OperationRow) -> HostRow | None:
    return None if row.host is None else hosts.find(deed.session, row.host)
