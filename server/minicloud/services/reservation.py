"""Reservations: room on a host that is held for a while, used by a VM, given back, or gone with its time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from minicloud_core.model.errors import ConflictError, InputError, NotFoundError, Problem
from minicloud_core.model.reservation import ITEMS_MAX, RESERVATION_TRANSITIONS, ReservationSpec

from minicloud.store import reservation as reservations
from minicloud.store.reservation import ReservationRow

from . import audit, recall
from .admission import Admission
from .authorisation import may_see, project_of, require_write, scope
from .context import SYSTEM, Actor, Context, Idempotency
from .cursor import check_limit, cut
from .ledger import Ledger
from .reservation_admission import admit, rehearse
from .reservation_wish import ReservationWish
from .state import Deed, expire_reservations, move_reservation
from .view.page import Page
from .view.reservation import ReservationChange, ReservationCreation, ReservationView, show_reservation

__all__ = ["ReservationChange", "ReservationCreation", "ReservationView", "create", "expire", "get", "list", "release"]

# So many end in one transaction.
_AT_ONCE: Final = 500


def create(
    ctx: Context,
    actor: Actor,
    specs: Sequence[ReservationSpec],
    *,
    project: str | None = None,
    listed: bool = False,
    dry_run: bool = False,
    idempotency: Idempotency | None = None,
) -> tuple[ReservationCreation, ...]:
    """Find room for each and hold it, or for none where one of them finds none.

    The same name for the same answers the reservation that is held; its time is over when it was.

    :param listed: whether they came as a list, so that problems say which of it they are about.
    :param project: for an actor of all projects; None for its own, or the default one.
    :param dry_run: decide and answer what would happen; write nothing.
    :raises ConflictError: when one of that name is held for something else; ``details["differences"]`` says where.
    :raises InputError: when an image does not exist, or there are too many of them.
    :raises QuotaError: when the project may not have it.
    :raises NoCapacityError: when no host can take one, with each host's reasons; ``details["item"]`` says which.
    """
    require_write(actor)
    if not 1 <= len(specs) <= ITEMS_MAX:
        raise InputError([Problem("items", f"{len(specs)} reservations at once", f"from 1 to {ITEMS_MAX}")])
    wish = ReservationWish(actor, tuple(specs), project_of(actor, project), listed, idempotency)
    return _rehearse(ctx, wish) if dry_run else ctx.reservations.take(wish, partial(admit, ctx))


def get(ctx: Context, actor: Actor, reservation: str) -> ReservationView:
    """:raises NotFoundError: when there is no such reservation, or it is not the actor's to see."""
    with ctx.read() as session:
        row = _need(reservations.find(session, reservation), actor, reservation)
        return show_reservation(vars(row), ctx.clock.now())


def list(
    ctx: Context,
    actor: Actor,
    *,
    limit: int = 50,
    cursor: str | None = None,
    project: str | None = None,
    state: str | None = None,
    name: str | None = None,
    host: str | None = None,
) -> Page[ReservationView]:
    """Reservations that the actor may see, the newest first. None does not filter.

    :raises InputError: when there is no such state.
    :raises NotFoundError: when ``project`` is another's.
    """
    check_limit(limit)
    if state is not None and state not in RESERVATION_TRANSITIONS.states:
        allowed = "one of " + ", ".join(RESERVATION_TRANSITIONS.moves)
        raise InputError([Problem("state", f"{state!r} is not a state of reservations", allowed)])
    now = ctx.clock.now()
    with ctx.read() as session:
        rows = reservations.page(
            session,
            now=now,
            before=cursor,
            limit=limit + 1,
            project=scope(actor) if project is None else project_of(actor, project),
            state=state,
            name=name,
            host=host,
        )
        return cut(rows, limit, lambda row: show_reservation(vars(row), now), lambda row: row.id)


def release(
    ctx: Context, actor: Actor, reservation: str, *, dry_run: bool = False, idempotency: Idempotency | None = None
) -> ReservationChange:
    """Give a reservation's room back before its time. One that has expired, or was released, is left at that.

    :raises NotFoundError: when there is no such reservation, or it is not the actor's to see.
    :raises ConflictError: when a VM has the room.
    """
    require_write(actor)
    with ctx.write() as session:
        seen = recall.look_up(ctx, session, actor, idempotency)
        row = _need(reservations.lock_many(session, [reservation]).get(reservation), actor, reservation)
        now = ctx.clock.now()
        if seen is not None:
            return ReservationChange(show_reservation(vars(row), now), bool(seen["changed"]), replayed=True)
        if row.state == "used":
            raise ConflictError(f"Reservation {row.id} has been used by {row.vm}", hint="delete that VM")
        changed = show_reservation(vars(row), now).state == "held"
        if changed and not dry_run:
            move_reservation(Deed.of(ctx, session, actor), row, "released", f"released by {actor.name}")
            audit.note(ctx, session, actor, "reservation.release", row.id, project=row.project, host=row.host)
        if not dry_run:
            recall.remember(ctx, session, actor, idempotency, {"reservation": row.id, "changed": changed})
        return ReservationChange(show_reservation(vars(row), now), changed)


def expire(ctx: Context) -> int:
    """Write down what has ended with its time. It took no room any more since then.

    :returns: how many there were.
    """
    ended = 0
    while True:
        with ctx.read() as session:
            overdue = reservations.overdue(session, ctx.clock.now(), _AT_ONCE)
        if not overdue:
            return ended
        with ctx.write() as session:
            now = expire_reservations(Deed.of(ctx, session, SYSTEM), overdue, patient=False)
        ended += now
        if not now:
            # Others have them in hand.
            return ended


def _rehearse(ctx: Context, wish: ReservationWish) -> tuple[ReservationCreation, ...]:
    """What would happen."""
    now = ctx.clock.now()
    with ctx.fleet.lent() as fleet, ctx.read() as session:
        scheduler = fleet.scheduler(session, ctx.policy.current(), now)
        ledger = Ledger(session, wish.rooms, now=now, lock=False)
        ledger.project(wish.project)
        return rehearse(Admission(ctx, session, ledger, fleet, scheduler), wish)


def _need(row: ReservationRow | None, actor: Actor, reservation: str) -> ReservationRow:
    if row is None or not may_see(actor, row.project):
        raise NotFoundError(f"There is no reservation {reservation}", hint="list them: GET /v1/reservations")
    return row
