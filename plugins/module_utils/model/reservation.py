# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A reservation: room on a host that is held for somebody for a while, without a VM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .errors import InputError, Problem
from .transition import TransitionTable
from .vm import VmSpec, parse_spec

RESERVATION_TRANSITIONS: Final = TransitionTable(
    "Reservation", {"held": ("used", "released", "expired"), "used": (), "released": (), "expired": ()}
)

TTL_DEFAULT: Final = 300
TTL_MAX: Final = 7 * 86400
ITEMS_MAX: Final = 64

# What a VM would be called that is asked for without a name. It is never shown.
_NAMELESS: Final = "reserved"


@dataclass(frozen=True)
class ReservationSpec:
    """What a caller wants held.

    :param needs: the VM that is to have room, with the reservation's name if it has one. ``cloud_init`` is None.
    :param ttl: for how many seconds.
    :param name: unique among the reservations that its project holds; None for one without.
    """

    needs: VmSpec
    ttl: int = TTL_DEFAULT
    name: str | None = None


def parse_reservation(body: Mapping[str, Any], path: str = "") -> ReservationSpec:
    """Read what a caller wrote into a spec, naming every field that is wrong at once.

    :param body: any of a VM's fields but ``cloud_init`` (see ``model.vm.parse_spec``), and ``ttl``, in seconds.
    :param path: what comes before fields in problems: ``items.0.``.
    :raises InputError: with one problem for each wrong field; unknown fields are wrong.
    """
    needs = {key: value for key, value in body.items() if key not in ("ttl", "name", "cloud_init")}
    name, ttl = body.get("name"), body.get("ttl")
    problems = _check_ttl(ttl)
    if body.get("cloud_init") is not None:
        problems.append(Problem("cloud_init", "what a guest is told takes no room", "leave it to the VM"))
    try:
        spec = parse_spec({**needs, "name": _NAMELESS if name is None else name})
    except InputError as error:
        problems += error.problems
    else:
        # Which nodes they are is settled with a VM's share.
        if spec.scheduling.numa:
            problems.append(Problem("scheduling.numa", "no NUMA nodes can be reserved", "ask for them with the VM"))
    if problems:
        raise InputError([Problem(f"{path}{one.field}", one.message, one.allowed) for one in problems])
    return ReservationSpec(spec, TTL_DEFAULT if ttl is None else ttl, name)


def parse_reservations(bodies: Sequence[Mapping[str, Any]]) -> tuple[ReservationSpec, ...]:
    """Read several that are asked for together.

    :raises InputError: naming every field of each that is wrong, and every name that comes twice.
    """
    specs: list[ReservationSpec] = []
    problems: list[Problem] = []
    for index, body in enumerate(bodies):
        try:
            specs.append(parse_reservation(body, f"items.{index}."))
        except InputError as error:
            problems += error.problems
    names = [spec.name for spec in specs]
    problems += [
        Problem(f"items.{index}.name", f"{name} is named twice", "each once")
        for index, name in enumerate(names)
        if name is not None and name in names[:index]
    ]
    if problems:
        raise InputError(problems)
    return tuple(specs)


def _check_ttl(value: Any) -> list[Problem]:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= TTL_MAX):
        return []
    return [Problem("ttl", f"{value!r} is not a time to hold room for", f"seconds, a whole number from 1 to {TTL_MAX}")]
