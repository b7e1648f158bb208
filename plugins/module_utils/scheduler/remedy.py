# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What would make a refused request fit: the smallest changes, each of them tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ..model.units import MIB, format_cpu, format_mib
from .company_waiver import waive_company
from .fleet import Fleet
from .grain import cpus
from .request import Request
from .rule import Ask
from .sheet import Sheet
from .waiver import Waiver, waive

# Who decides again on a fleet and a request that are a little different.
Trial = Callable[[Fleet, Request], "str | None"]

ROOM: Final = ("cpu", "memory", "disk", "pools", "bandwidth")


@dataclass(frozen=True)
class Remedy:
    """One change that would do.

    :param rules: the rules that no longer stand in the way.
    :param text: the change, for people: ``2 GiB less memory``.
    :param host: where the VM would then go.
    :param request: what would have to be asked for instead.
    :param opened: the host that would have to take VMs again; None when the fleet may stay as it is.
    """

    rules: tuple[str, ...]
    text: str
    host: str
    request: Request
    opened: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        return {"rules": list(self.rules), "text": self.text, "host": self.host}


def find_remedies(ask: Ask, sheet: Sheet, trial: Trial) -> tuple[Remedy, ...]:
    """The changes that would make a refused request fit, those to the request first.

    Less of something is the least that will do; of several hosts that one, on which the least share has to go.
    """
    refusing = {row: tuple(rule.name for rule in sheet.refusing(row)) for row in range(len(ask.fleet))}
    drafts = [*_smaller(ask, refusing), *_freer(ask, refusing), *_opened(ask, refusing)]
    return tuple(tried for draft in drafts if (tried := _try(ask.fleet, draft, trial)) is not None)


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


def _smaller(ask: Ask, refusing: dict[int, tuple[str, ...]]) -> Iterator[_Draft]:
    """Less of what too little is left of, where nothing else is in the way."""
    best: dict[tuple[str, ...], tuple[float, int]] = {}
    for row, rules in refusing.items():
        if set(rules) <= set(ROOM) and (cut := _cut(ask, row, rules)) is not None:
            best[rules] = min(best.get(rules, (cut, row)), (cut, row))
    for rules, (_cut_share, row) in sorted(best.items(), key=lambda item: (len(item[0]), item[1])):
        # Less of two things is no news where less of one will do.
        if not any(set(fewer) < set(rules) for fewer in best):
            given: dict[str, Any] = {_FIELDS[rule]: _given(ask, row, rule) for rule in rules}
            request = replace(ask.request, **given)
            yield _Draft(rules, " and ".join(_less(ask.request, request, rule) for rule in rules), request)


def _freer(ask: Ask, refusing: dict[int, tuple[str, ...]]) -> Iterator[_Draft]:
    """Without a condition that alone is in the way."""
    alone = {rules[0] for rules in refusing.values() if len(rules) == 1}
    if "requested" in alone:
        yield _Draft(("requested",), f"on another host than {ask.request.host}", replace(ask.request, host=None))
    if "numa" in alone:
        yield _Draft(("numa",), "without NUMA nodes of its own", replace(ask.request, numa=0))
    if ask.request.pinned and "cpu" in alone:
        yield _Draft(("cpu",), "without threads of its own", replace(ask.request, pinned=False))
    if ask.request.huge_pages and "memory" in alone:
        yield _Draft(("memory",), "without huge pages", replace(ask.request, huge_pages=False))
    yield from _waived(ask, refusing)


def _waived(ask: Ask, refusing: dict[int, tuple[str, ...]]) -> Iterator[_Draft]:
    """Without the fewest things that some host has not; one draft for each rule."""
    fewest: dict[str, Waiver] = {}
    for row, rules in refusing.items():
        if len(rules) > 1:
            continue
        waiver = waive(rules[0], ask.request, ask.fleet.hosts[row]) or waive_company(rules[0], ask, row)
        if waiver is not None and (rules[0] not in fewest or waiver.count < fewest[rules[0]].count):
            fewest[rules[0]] = waiver
    for rule, waiver in fewest.items():
        yield _Draft((rule,), waiver.text, waiver.request)


def _opened(ask: Ask, refusing: dict[int, tuple[str, ...]]) -> Iterator[_Draft]:
    """With a host that only is not taking VMs: the first of each kind."""
    for rules, words in ((("cordon",), "uncordon {}"), (("ready",), "{} ready again")):
        row = next((row for row, found in refusing.items() if found == rules), None)
        if row is not None:
            name = ask.fleet.hosts[row].id
            yield _Draft(rules, words.format(name), ask.request, opened=name)


_FIELDS: Final = {
    "cpu": "cpu",
    "memory": "ram_mib",
    "disk": "disk_bytes",
    "pools": "pools",
    "bandwidth": "bandwidth_mbps",
}


def _cut(ask: Ask, row: int, rules: tuple[str, ...]) -> float | None:
    """The largest share of what is asked for that would have to go; None where nothing worth having is left."""
    shares: list[float] = []
    for rule in rules:
        if rule == "pools":
            given = _given_of_pools(ask, row)
            pairs = [(float(given[name]), float(asked)) for name, asked in ask.request.pools.items()]
        else:
            pairs = [(_left(ask, row, rule), float(getattr(ask.request, _FIELDS[rule])))]
        if any(left <= 0 < asked or left < 0 for left, asked in pairs):
            return None
        shares += [1 - left / asked for left, asked in pairs if asked]
    return max(shares)


def _given(ask: Ask, row: int, rule: str) -> float | dict[str, int]:
    return _given_of_pools(ask, row) if rule == "pools" else _left(ask, row, rule)


def _given_of_pools(ask: Ask, row: int) -> dict[str, int]:
    """What of each pool that a request names a host could still give; less than nothing of one that it has not."""
    pools, rows = ask.fleet.pools, slice(row, row + 1)
    return {name: min(asked, int(pools.free(name, rows)[0])) for name, asked in ask.request.pools.items()}


def _left(ask: Ask, row: int, rule: str) -> float:
    """What of a request a host could still give: whole virtual CPUs to who asks for whole ones."""
    if rule == "memory":
        return int(ask.board.ram_left(ask.request, slice(row, row + 1))[0])
    if rule == "disk":
        return int(ask.board.disk_free[row])
    if rule == "bandwidth":
        return int(ask.fleet.bandwidth[row] - ask.fleet.bandwidth_used[row])
    free = ask.board.threads_free(row) if ask.request.pinned else cpus(ask.board.cpu_free[row].item())
    return int(free) if float(ask.request.cpu).is_integer() else free


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
