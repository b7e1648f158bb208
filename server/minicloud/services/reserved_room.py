"""Putting a VM into the room that a reservation holds for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from minicloud_core.model.errors import ConflictError, InputError, Problem
from minicloud_core.model.units import format_mib
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.request import Request

from minicloud.store import reservation as reservations
from minicloud.store.reservation import ReservationRow
from minicloud.store.store import Session

from .allocation import OvertakenError
from .state import Deed, move_reservation
from .view.reservation import show_reservation
from .vm_wish import VmWish


def find(session: Session, wish: VmWish, now: datetime) -> ReservationRow | None:
    """The reservation that a wish names; None when it names none.

    :raises InputError: when there is no such reservation in the wish's project, or it is on another host than asked.
    :raises ConflictError: when it is held no longer.
    """
    if wish.reservation is None:
        return None
    row = reservations.find(session, wish.reservation)
    if row is None or row.project != wish.project:
        allowed = "one that the VM's project holds"
        raise InputError([Problem("reservation", f"there is no reservation {wish.reservation}", allowed)])
    view = show_reservation(vars(row), now)
    if view.state != "held":
        ended = f"has been used by {row.vm}" if view.state == "used" else f"{view.state} at {view.ended_at}"
        raise ConflictError(
            f"Reservation {row.id} holds nothing any more: it {ended}",
            hint="reserve again, or create the VM without",
            details={"reservation": row.id, "state": view.state},
        )
    if wish.spec.host not in (None, row.host):
        raise InputError([Problem("host", f"{row.id} holds room on {row.host}", f"{row.host}, or nothing")])
    return row


def place(scheduler: Scheduler, room: ReservationRow, request: Request, *, now: float) -> Decision:
    """A decision for a VM that goes into a room: every rule is asked again, as if the reservation were not there.

    The fleet is left as it is. The decision is put into words.

    :raises InputError: naming all of which the VM needs more than is reserved.
    """
    fleet = scheduler.fleet
    reserved, nodes = fleet.request_of(room.id), fleet.nodes_of(room.id)
    problems = [*_exceeding(request, reserved)]
    if problems:
        raise InputError(problems)
    fleet.remove(room.id)
    try:
        decision = scheduler.place(replace(request, host=room.host), now=now).put_down()
        # Read while the fleet is as it was decided by, as its record is.
        _words = decision.told if decision.host is None else None
    finally:
        fleet.add(room.id, room.host, reserved, nodes)
    return decision


def use(deed: Deed, room: ReservationRow, vm: str) -> None:
    """End a reservation, whose room a VM takes in the same transaction. Its host's generation was moved on.

    :raises OvertakenError: when it has ended meanwhile.
    """
    row = reservations.lock_many(deed.session, [room.id]).get(room.id)
    if row is None or row.state != "held":
        raise OvertakenError
    row.vm = vm
    move_reservation(deed, row, "used", f"used by {vm}")


def _exceeding(request: Request, reserved: Request) -> Iterator[Problem]:
    if request.cpu > reserved.cpu:
        yield Problem("cpu", f"{request.cpu:g} wanted, {reserved.cpu:g} reserved", f"{reserved.cpu:g} or fewer")
    if request.ram_mib > reserved.ram_mib:
        held = format_mib(reserved.ram_mib)
        yield Problem("ram", f"{format_mib(request.ram_mib)} wanted, {held} reserved", f"{held} or less")
    if request.disk_bytes > reserved.disk_bytes:
        yield _disk("", request.disk_bytes, reserved.disk_bytes)
    for pool, size in sorted(request.pools.items()):
        if size > reserved.pools.get(pool, 0):
            yield _disk(f" of pool {pool}", size, reserved.pools.get(pool, 0))
    if request.bandwidth_mbps > reserved.bandwidth_mbps:
        held = f"{reserved.bandwidth_mbps} Mbit/s"
        wanted = f"{request.bandwidth_mbps} Mbit/s wanted, {held} reserved"
        yield Problem("scheduling.bandwidth_mbps", wanted, f"{held} or less")


def _disk(where: str, wanted: int, held: int) -> Problem:
    return Problem("disks", f"{wanted} bytes{where} wanted, {held} reserved", f"{held} bytes or less")
