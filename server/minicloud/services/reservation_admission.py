"""Admitting reservations: those that wait for one another are decided one after the other, and written together.

A reservation is the least that a decision can be made durable by: a row, an event and an audit entry, each kind of a
whole turn written in one statement.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from minicloud_core.model.errors import ConflictError, InputError, MinicloudError
from minicloud_core.model.reservation import ReservationSpec
from minicloud_core.model.vm import VmSpec
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.request import Request

from minicloud.store import reservation as reservations
from minicloud.store.image import ImageRow
from minicloud.store.reservation import ReservationRow

from . import allocation, audit, identifier, priority, recall
from .admission import Admission, together
from .context import SYSTEM, Context
from .reservation_wish import ReservationWish
from .state import Deed, expire_reservations, tell_reservation
from .view.reservation import ReservationCreation, show_reservation
from .vm_wish import VmWish

Answer = tuple[ReservationCreation, ...]
Telling = Callable[[Decision], dict[str, Any]]

# Hosts that a kept decision tells of one by one: to put a hundred into words takes longer than to decide among them.
_HOSTS_KEPT: Final = 3


def admit(ctx: Context, wishes: Sequence[ReservationWish]) -> Sequence[Answer | MinicloudError]:
    """Decide and write reservations in one transaction, as if one came after the other.

    :returns: for each wish its answer, or why it may not be.
    """
    rooms = [room for wish in wishes for room in wish.rooms]
    # Nobody has anything to do.
    return together(ctx, rooms, partial(_work, wishes), wakes=())


@dataclass(frozen=True)
class _Held:
    """One that has its room, yet to be written: the columns of its row."""

    room: VmWish
    image: ImageRow
    request: Request
    row: Mapping[str, Any]


@dataclass(frozen=True)
class _Granted:
    """A wish that may be. What is held already of it is a row."""

    wish: ReservationWish
    items: tuple[_Held | ReservationRow, ...]
    lapsed: tuple[str, ...]

    @property
    def held(self) -> list[_Held]:
        return [item for item in self.items if isinstance(item, _Held)]


def _work(wishes: Sequence[ReservationWish], admission: Admission) -> list[Answer | MinicloudError]:
    decided = [_decide(admission, wish) for wish in wishes]
    granted = [one for one in decided if isinstance(one, _Granted)]
    shares = Counter(item.row["host"] for one in granted for item in one.held)
    deed = Deed.of(admission.ctx, admission.session, SYSTEM)
    allocation.advance(deed, admission.fleet, shares)
    # Hosts first, then reservations: one order for everybody. Their names are free again.
    lapsed = [reservation for one in granted for reservation in one.lapsed]
    if lapsed:
        expire_reservations(deed, lapsed)
    return [_write(admission, one) if isinstance(one, _Granted) else one for one in decided]


def _decide(admission: Admission, wish: ReservationWish) -> _Granted | Answer | MinicloudError:
    try:
        seen = recall.look_up(admission.ctx, admission.session, wish.actor, wish.idempotency, lock=False)
        if seen is not None:
            return _replayed(admission, seen)
        admission.ledger.project(wish.project)
        return _grant(admission, wish, _brief)
    except MinicloudError as error:
        return error


def _grant(admission: Admission, wish: ReservationWish, tell: Telling) -> _Granted:
    """Give a wish all its room, or none of it.

    :param tell: puts a decision into words.
    """
    now = admission.ctx.clock.now()
    named = reservations.named(admission.session, wish.project, wish.names) if wish.names else {}
    lapsed = tuple(sorted(row.id for row in named.values() if row.expires_at <= now))
    items: list[_Held | ReservationRow] = []
    try:
        for item, asked in zip(wish.items, wish.rooms, strict=True):
            room, existing = _settled(admission, asked), named.get(item.name or "")
            if existing is not None and existing.id not in lapsed:
                items.append(_same(existing, room.spec))
            else:
                items.append(_hold(admission, item, room, tell))
    except MinicloudError as error:
        _take_back(admission, [item for item in items if isinstance(item, _Held)])
        if wish.listed:
            raise _about(error, len(items)) from error
        raise
    return _Granted(wish, tuple(items), lapsed)


def rehearse(admission: Admission, wish: ReservationWish) -> Answer:
    """What a wish would be answered. The fleet is left as it was, and nothing is written.

    :raises MinicloudError: why it may not be.
    """
    now = admission.ctx.clock.now()
    granted = _grant(admission, wish, lambda decision: decision.put_down().record)
    try:
        return tuple(
            ReservationCreation(replace(show_reservation(item.row, now), id=""), created=True)
            if isinstance(item, _Held)
            else _answer_existing(admission, item)
            for item in granted.items
        )
    finally:
        _take_back(admission, granted.held)


def _same(existing: ReservationRow, needs: VmSpec) -> ReservationRow:
    """:raises ConflictError: when it holds room for something else."""
    differences = VmSpec.from_stored(existing.spec).differences(needs)
    if differences:
        raise ConflictError(
            f"Reservation {existing.name} ({existing.id}) is held with another {', '.join(sorted(differences))}",
            hint="choose another name, or release that one first",
            details={"reservation": existing.id, "differences": differences},
        )
    return existing


def _hold(admission: Admission, item: ReservationSpec, room: VmWish, tell: Telling) -> _Held:
    """Give one its room in the fleet, and count it against its project's quota."""
    ctx, now = admission.ctx, admission.ctx.clock.now()
    image = admission.ledger.image(room)
    admission.ledger.check_quota(room, image)
    reservation = identifier.reservation_id(now, ctx.entropy)
    request = room.request(image, admission.fleet.names, reservation)
    decision = admission.scheduler.place(request, now=now.timestamp())
    if decision.host is None:
        raise admission.fleet.words.of(admission.scheduler.fleet, admission.scheduler.policy, decision)
    record = tell(decision)
    until = now + timedelta(seconds=item.ttl)
    admission.ledger.charge(room, image)
    admission.fleet.hold(reservation, decision.host, request, until)
    _one, cpu, ram_mib, disk_bytes = room.amounts(image)
    row = {
        "id": reservation,
        "project": room.project,
        "name": item.name,
        "state": "held",
        "host": decision.host,
        "cpu": cpu,
        "ram_mib": ram_mib,
        "disk_bytes": disk_bytes,
        "architecture": image.architecture,
        "spec": room.spec.to_mapping(),
        "decision": record,
        "actor": room.actor.name,
        "request_id": room.actor.request_id,
        "created_at": now,
        "expires_at": until,
        "ended_at": None,
        "vm": None,
    }
    return _Held(room, image, request, row)


def _settled(admission: Admission, room: VmWish) -> VmWish:
    """The wish with its priority as a number."""
    classes, project = admission.ctx.policy.current().priority_classes, admission.ledger.project(room.project)
    spec = priority.settled(room.spec, classes, project)
    return room if spec is room.spec else replace(room, spec=spec)


def _take_back(admission: Admission, held: Sequence[_Held]) -> None:
    for item in held:
        admission.fleet.let_go(item.row["id"])
        admission.ledger.refund(item.room, item.image)


def _about(error: MinicloudError, index: int) -> MinicloudError:
    """The error, saying which of a list it is about."""
    if isinstance(error, InputError):
        return InputError([replace(one, field=f"items.{index}.{one.field}") for one in error.problems])
    error.details["item"] = index
    return error


def _brief(decision: Decision) -> dict[str, Any]:
    """What is kept of a decision: as ``Decision.record``, but of the best hosts alone, and of the others how many.

    What was asked for is the reservation's own.
    """
    account = decision.recall()
    return {
        "host": decision.host,
        "policy": decision.policy,
        "policy_version": decision.policy_version,
        "at": decision.at,
        "hosts": {"accepted": account.accepts, "refused": account.refuses},
        "accepted": account.columns(_HOSTS_KEPT),
    }


def _write(admission: Admission, granted: _Granted) -> Answer:
    ctx, session, wish = admission.ctx, admission.session, granted.wish
    deed = Deed.of(ctx, session, wish.actor)
    for item in granted.held:
        admission.scheduler.fleet.mix.note(item.request)
        reservations.add(session, item.row)
        tell_reservation(deed, item.row, {"from": None, "to": "held"})
        audit.note(
            ctx, session, wish.actor, "reservation.create", item.row["id"], project=wish.project,
            name=item.row["name"], host=item.row["host"], expires_at=item.row["expires_at"].isoformat(),
        )  # fmt: skip
    answer = tuple(
        ReservationCreation(show_reservation(item.row, deed.at), created=True)
        if isinstance(item, _Held)
        else _answer_existing(admission, item)
        for item in granted.items
    )
    made = [{"reservation": one.reservation.id, "created": one.created} for one in answer]
    recall.remember(ctx, session, wish.actor, wish.idempotency, {"reservations": made})
    return answer


def _answer_existing(admission: Admission, row: ReservationRow) -> ReservationCreation:
    return ReservationCreation(show_reservation(vars(row), admission.ctx.clock.now()), created=False)


def _replayed(admission: Admission, seen: Mapping[str, Any]) -> Answer:
    made = {str(one["reservation"]): bool(one["created"]) for one in seen["reservations"]}
    rows = {row.id: row for row in reservations.several(admission.session, made)}
    now = admission.ctx.clock.now()
    return tuple(
        ReservationCreation(show_reservation(vars(rows[reservation]), now), created, replayed=True)
        for reservation, created in made.items()
    )
