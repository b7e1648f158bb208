# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What would make a refused request fit: small changes, each of which has been tried by deciding again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ..model.units import MIB, format_cpu, format_mib
from .arrays import np
from .company_waiver import COMPANY_WAIVINGS
from .fleet import Fleet
from .grain import GRAINS
from .leaving import LodgerSet, leaving
from .refused import refused_by
from .request import Request
from .rule import Ask
from .sheet import Sheet
from .waiver import NOT_ITS_OWN, WAIVINGS, Waiving

if TYPE_CHECKING:
    from .arrays import Integers, Rows, Vector

    # Rows by the rules that refuse them.
    Refused = Mapping[tuple[str, ...], Integers]

# Who decides again on a fleet and a request that are a little different.
Trial = Callable[[Fleet, Request], "str | None"]

ROOM: Final = ("cpu", "memory", "disk", "pools", "bandwidth")
_WAIVINGS: Final[Mapping[str, Waiving]] = {**WAIVINGS, **COMPANY_WAIVINGS}


@dataclass(frozen=True)
class Remedy:
    """One change that would do.

    :param rules: the rules that no longer stand in the way.
    :param text: the change, for people: ``2 GiB less memory``.
    :param host: where the VM would then go.
    :param request: what would have to be asked for instead.
    :param opened: the host that would have to take VMs again; None when the fleet may stay as it is.
    :param leaving: the VMs that would have to be gone.
    """

    rules: tuple[str, ...]
    text: str
    host: str
    request: Request
    opened: str | None = None
    leaving: tuple[str, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        return {"rules": list(self.rules), "text": self.text, "host": self.host}


def find_remedies(ask: Ask, sheet: Sheet, trial: Trial) -> tuple[Remedy, ...]:
    """The changes that would make a refused request fit, those to the request first.

    Less of something is the least that will do; of several hosts that one, on which the least share has to go. Only
    where nothing else will do, VMs are named of which all would have to be gone.
    """
    refused = refused_by(sheet)
    drafts = [*_smaller(ask, refused), *_freer(ask, refused), *_opened(ask, refused)]
    found = tuple(tried for draft in drafts if (tried := _try(ask.fleet, draft, trial)) is not None)
    if found:
        return found
    emptier = next((tried for some in leaving(ask, refused) if (tried := _try_without(ask, some, trial))), None)
    # What the sheet says is of the fleet as it was meanwhile.
    ask.board.refresh()
    sheet.refresh(ask)
    return () if emptier is None else (emptier,)


@dataclass(frozen=True)
class _Draft:
    """A change that has yet to be tried."""

    rules: tuple[str, ...]
    text: str
    request: Request
    opened: str | None = None


def _try(fleet: Fleet, draft: _Draft, trial: Trial) -> Remedy | None:
    changed = fleet if draft.opened is None else fleet.with_open(draft.opened)
    host = trial(changed, draft.request)
    return None if host is None else Remedy(draft.rules, draft.text, host, draft.request, draft.opened)


def _try_without(ask: Ask, some: tuple[tuple[str, ...], LodgerSet], trial: Trial) -> Remedy | None:
    rules, lodgers = some
    with ask.fleet.without(lodgers.vms):
        host = trial(ask.fleet, ask.request)
    text = f"without VM{'' if len(lodgers.vms) == 1 else 's'} {', '.join(lodgers.vms)}"
    return None if host is None else Remedy(rules, text, host, ask.request, leaving=lodgers.vms)


def _smaller(ask: Ask, refused: Refused) -> Iterator[_Draft]:
    """Less of what too little is left of, where nothing else is in the way."""
    best: dict[tuple[str, ...], tuple[float, int]] = {}
    for rules, rows in refused.items():
        if set(rules) <= set(ROOM):
            cuts = _cuts(ask, rows, rules)
            least = int(cuts.argmin())
            if np.isfinite(cuts[least]):
                best[rules] = cuts[least].item(), int(rows[least])
    for rules, (_cut_share, row) in sorted(best.items(), key=lambda item: (len(item[0]), item[1])):
        # Less of two things is no news where less of one will do.
        if not any(set(fewer) < set(rules) for fewer in best):
            given: dict[str, Any] = {_FIELDS[rule]: _given(ask, row, rule) for rule in rules}
            request = replace(ask.request, **given)
            yield _Draft(rules, " and ".join(_less(ask.request, request, rule) for rule in rules), request)


def _freer(ask: Ask, refused: Refused) -> Iterator[_Draft]:
    """Without a condition that alone is in the way."""
    if ("requested",) in refused:
        yield _Draft(("requested",), f"on another host than {ask.request.host}", replace(ask.request, host=None))
    if ("numa",) in refused:
        yield _Draft(("numa",), "without NUMA nodes of its own", replace(ask.request, numa=0))
    if ask.request.pinned and ("cpu",) in refused:
        yield _Draft(("cpu",), "without threads of its own", replace(ask.request, pinned=False))
    if ask.request.huge_pages and ("memory",) in refused:
        yield _Draft(("memory",), "without huge pages", replace(ask.request, huge_pages=False))
    yield from _waived(ask, refused)


def _waived(ask: Ask, refused: Refused) -> Iterator[_Draft]:
    """Without the fewest things that some host has not; one draft for each rule."""
    fewest: list[tuple[int, str, int]] = []
    for rules, rows in refused.items():
        if len(rules) == 1 and rules[0] in _WAIVINGS:
            counts = _WAIVINGS[rules[0]].counts(ask)[rows]
            own = (counts != NOT_ITS_OWN).nonzero()[0]
            if len(own):
                fewest.append((int(rows[own[0]]), rules[0], int(rows[own[counts[own].argmin()]])))
    for _first, rule, row in sorted(fewest):
        waiver = _WAIVINGS[rule].waive(ask, row)
        yield _Draft((rule,), waiver.text, waiver.request)


def _opened(ask: Ask, refused: Refused) -> Iterator[_Draft]:
    """With a host that only is not taking VMs: the first of each kind."""
    for rules, words in ((("cordon",), "uncordon {}"), (("ready",), "{} ready again")):
        if rules in refused:
            name = ask.fleet.hosts[int(refused[rules][0])].id
            yield _Draft(rules, words.format(name), ask.request, opened=name)


_FIELDS: Final = {
    "cpu": "cpu",
    "memory": "ram_mib",
    "disk": "disk_bytes",
    "pools": "pools",
    "bandwidth": "bandwidth_mbps",
}


def _cuts(ask: Ask, rows: Integers, rules: tuple[str, ...]) -> Vector:
    """For some rows the largest share of what is asked for that would have to go; infinite where nothing worth having
    is left."""
    largest: Vector = np.zeros(len(rows), dtype=np.float64)
    for left, asked in (pair for rule in rules for pair in _pairs(ask, rows, rule)):
        nothing = (left < 0) | ((left <= 0) & (asked > 0))
        share = 1 - left / asked if asked else np.zeros(len(rows), dtype=np.float64)
        largest = np.maximum(largest, np.where(nothing, np.inf, share))
    return largest


def _pairs(ask: Ask, rows: Integers, rule: str) -> list[tuple[Vector, float]]:
    """What some hosts could still give of each thing that a rule counts, and what is asked for."""
    if rule == "pools":
        return [(_left_in_pool(ask, rows, name), float(asked)) for name, asked in ask.request.pools.items()]
    return [(_left(ask, rows, rule), float(getattr(ask.request, _FIELDS[rule])))]


def _given(ask: Ask, row: int, rule: str) -> float | dict[str, int]:
    """What a host could still give of all that a rule counts."""
    here = np.array([row])
    if rule == "pools":
        return {name: int(_left_in_pool(ask, here, name)[0]) for name in ask.request.pools}
    left = _left(ask, here, rule).item()
    return left if rule == "cpu" and not float(ask.request.cpu).is_integer() else int(left)


def _left_in_pool(ask: Ask, rows: Rows, name: str) -> Vector:
    """What of a pool some hosts could still give; less than nothing of one that they have not."""
    return np.minimum(ask.request.pools[name], ask.fleet.pools.free(name, rows)).astype(np.float64)


def _left(ask: Ask, rows: Integers, rule: str) -> Vector:
    """What of a request some hosts could still give: whole virtual CPUs to who asks for whole ones."""
    left: Vector
    if rule == "memory":
        left = ask.board.ram_left(ask.request, rows).astype(np.float64)
    elif rule == "disk":
        left = ask.board.disk_free[rows].astype(np.float64)
    elif rule == "bandwidth":
        left = (ask.fleet.bandwidth[rows] - ask.fleet.bandwidth_used[rows]).astype(np.float64)
    else:
        left = ask.board.threads_free(rows) if ask.request.pinned else ask.board.cpu_free[rows] / GRAINS
        left = np.trunc(left) if float(ask.request.cpu).is_integer() else left
    return left


def _less(asked: Request, given: Request, rule: str) -> str:
    if rule == "memory":
        return f"{format_mib(asked.ram_mib - given.ram_mib)} less memory"
    if rule == "disk":
        return f"{format_mib(-(-(asked.disk_bytes - given.disk_bytes) // MIB))} less disk"
    if rule == "pools":
        fewer = {name: size - given.pools[name] for name, size in sorted(asked.pools.items())}
        return " and ".join(
            f"{format_mib(-(-size // MIB))} less in pool {name}" for name, size in fewer.items() if size
        )
    if rule == "bandwidth":
        return f"{asked.bandwidth_mbps - given.bandwidth_mbps} Mbit/s less bandwidth"
    cpu = asked.cpu - given.cpu
    return f"{format_cpu(cpu)} virtual CPU{'' if cpu == 1 else 's'} fewer"
