"""Reservations: room that is held for a while, without a VM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minicloud_core.model.errors import InputError, Problem
from minicloud_core.model.reservation import ReservationSpec, parse_reservation, parse_reservations
from starlette.responses import Response

from minicloud.services import reservation as reservations
from minicloud.services.view.reservation import ReservationChange, ReservationCreation

from .body import parse
from .call import Caller, Changer, answer
from .input import EmptyBody
from .output import Page, Reservation, ReservationAnswer, ReservationAnswers, ReservationDetail
from .parameter import Cursor, Limit, NameFilter, ProjectName, ReservationRef


async def create(change: Changer, project: ProjectName = None) -> Response:
    """Hold room for a VM for a while.

    A list in `items` is held as a whole or not at all. The same name again for the same answers the reservation that is
    held, whose time is not prolonged.
    """
    listed = "items" in change.body
    specs = _read_all(change.body) if listed else (parse_reservation(change.body),)
    made: tuple[ReservationCreation, ...] = await change.run(reservations.create, specs, project=project, listed=listed)
    status = 201 if any(one.created for one in made) and not change.dry_run else 200
    replayed = any(one.replayed for one in made)
    if listed:
        return answer(ReservationAnswers(items=[_show(one, one.created) for one in made]), status, replayed=replayed)
    (one,) = made
    headers = {"location": f"/v1/reservations/{one.reservation.id}"} if one.reservation.id else {}
    return answer(_show(one, one.created), status, replayed=replayed, **headers)


def list_(
    call: Caller,
    *,
    state: NameFilter = None,
    name: NameFilter = None,
    host: NameFilter = None,
    project: ProjectName = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List reservations, newest first, those that have ended too."""
    page = reservations.list(
        call.context, call.actor, limit=limit, cursor=cursor, project=project, state=state, name=name, host=host
    )
    return answer(Page[Reservation].model_validate(page))


def get(call: Caller, reservation: ReservationRef) -> Response:
    """Get a reservation, with why it is where it is."""
    return answer(ReservationDetail.model_validate(reservations.get(call.context, call.actor, reservation)))


async def release(change: Changer, reservation: ReservationRef) -> Response:
    """Give a reservation's room back before its time is over."""
    parse(EmptyBody, change.body)
    result: ReservationChange = await change.run(reservations.release, reservation)
    return answer(_show(result, result.changed), replayed=result.replayed)


def _read_all(body: Mapping[str, Any]) -> tuple[ReservationSpec, ...]:
    items = body["items"]
    beside = [Problem(field, "not beside items", "a field of each item") for field in body if field != "items"]
    if beside:
        raise InputError(beside)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise InputError([Problem("items", "not a list of reservations", '[{"cpu": 2}, {"cpu": 4}]')])
    return parse_reservations(items)


def _show(one: ReservationCreation | ReservationChange, changed: bool) -> ReservationAnswer:
    shown = ReservationDetail.model_validate(one.reservation)
    return ReservationAnswer.model_validate({**dict(shown), "changed": changed})
