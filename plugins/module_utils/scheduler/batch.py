# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Many VMs at once: groups whole or not at all, and more of them than would fit one by one.

As long as all fit, each goes where the policy would have it, the largest first. Where not all fit, to fit more matters
more than preferences: they are packed, the largest first and the smallest first, and what is left over is fitted in by
moving or leaving out others of the batch. Whatever placed most, the more important ones first, is the answer. VMs that
were there before stay where they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .batch_draft import BatchDraft, Unit, settle, unsettle
from .decision import Decision
from .fleet import Fleet
from .group import Group, NewVm
from .mix import SHAPES, Mix
from .pipeline import Scheduler
from .policy import BALANCED, PACK, Policy
from .request import Request


@dataclass(frozen=True)
class Batch:
    """What is to be placed at once.

    :param vms: each by itself.
    :raises ValueError: when two VMs have one id.
    """

    groups: tuple[Group, ...] = ()
    vms: tuple[NewVm, ...] = ()

    def __post_init__(self) -> None:
        names = [vm.id for unit in self.units() for vm in unit.vms]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f"in the batch twice: {', '.join(twice)}")

    def units(self) -> tuple[Unit, ...]:
        """What is placed whole or not at all."""
        alone = (Unit(None, (replace(vm, request=replace(vm.request, vm=vm.id)),)) for vm in self.vms)
        return (*(Unit(group.name, group.members()) for group in self.groups), *alone)


@dataclass(frozen=True)
class LeftOut:
    """What was not placed.

    :param group: its group; None for a VM by itself.
    :param vms: its VMs.
    :param because: the one that found no host once those before it had theirs.
    """

    group: str | None
    vms: tuple[str, ...]
    because: str

    def to_mapping(self) -> dict[str, Any]:
        return {"group": self.group, "vms": list(self.vms), "because": self.because}


@dataclass(frozen=True)
class BatchDecision:
    """The answer to a batch.

    :param placed: VMs with their hosts, in the order in which to take them: each step is legal.
    :param left_out: groups and VMs for which there was no room.
    :param decisions: why, for each VM that was placed or tried. Of a group that was left out, those before the one that
        found no host tell where they would have gone.
    """

    placed: tuple[tuple[NewVm, str], ...]
    left_out: tuple[LeftOut, ...]
    decisions: Mapping[str, Decision]

    def host(self, vm: str) -> str | None:
        """Where a VM goes; None for one that was left out, or is not in the batch."""
        return next((host for new, host in self.placed if new.id == vm), None)

    def to_mapping(self) -> dict[str, Any]:
        return {
            "placed": [{"vm": vm.id, "host": host} for vm, host in self.placed],
            "left_out": [one.to_mapping() for one in self.left_out],
            "decisions": {vm: decision.to_mapping() for vm, decision in self.decisions.items()},
        }


def place_batch(fleet: Fleet, batch: Batch, policy: Policy = BALANCED, *, now: float) -> BatchDecision:
    """Find hosts for many VMs at once. Pure: the fleet stays as it is.

    :param now: Unix seconds, against which the age of measurements is told.
    :raises ValueError: when a VM of the batch is in the fleet already.
    """
    return _place(Scheduler(fleet.copy(), policy), batch, now)


def rehearse_batch(scheduler: Scheduler, batch: Batch, *, now: float) -> BatchDecision:
    """The same by a scheduler that is at work, on its own fleet, which is as it was afterwards: nothing is copied.

    Every decision is put down. Nobody else may use the fleet meanwhile; if this fails half-way, nobody may any more.

    :raises ValueError: when a VM of the batch is in the fleet already; the fleet is untouched then.
    """
    decision = _place(scheduler, batch, now, put_down=True)
    for vm, host in reversed(decision.placed):
        unsettle(scheduler, vm.id, host)
    return decision


def take_batch(scheduler: Scheduler, decision: BatchDecision) -> None:
    """Give all that was placed its room, as it was decided.

    What was asked for is noted afterwards: which NUMA nodes a VM gets depends on what is asked for lately.
    """
    for vm, host in decision.placed:
        scheduler.settle(vm.id, host, vm.request)
    for vm, _host in decision.placed:
        scheduler.fleet.mix.note(vm.request)


def _place(scheduler: Scheduler, batch: Batch, now: float, *, put_down: bool = False) -> BatchDecision:
    """Place a batch; what is placed stays there."""
    fleet, units = scheduler.fleet, batch.units()
    there = sorted(vm.id for unit in units for vm in unit.vms if fleet.where(vm.id) is not None)
    if there:
        raise ValueError(f"in the fleet already: {', '.join(there)}")
    usual = fleet.mix
    best = _best(_drafts(scheduler, units, now))
    fleet.mix = usual
    return _Telling(scheduler, now, put_down).tell(best)


def _best(drafts: Iterator[BatchDraft]) -> BatchDraft:
    """The first of those that are worth the most; none is made after one that leaves nobody out."""
    best = next(drafts)
    while best.left and (draft := next(drafts, None)) is not None:
        if draft.worth > best.worth:
            best = draft
    return best


def _drafts(scheduler: Scheduler, units: Sequence[Unit], now: float) -> Iterator[BatchDraft]:
    """Ways to place them, the one that heeds preferences first. The fleet is as it was whenever one is yielded."""
    for order in (BatchDraft.largest_first, None):
        draft = BatchDraft(scheduler, now)
        draft.place(units if order is None else order(draft, units))
        draft.clear()
        yield draft
    lies_on_nodes = any(vm.request.numa for unit in units for vm in unit.vms)
    scheduler.fleet.mix = _mix(units)
    packing = Scheduler(scheduler.fleet, _packing(scheduler.policy))
    for chosen in _selections(packing, units, now):
        draft = BatchDraft(packing, now)
        draft.place(chosen)
        plain = draft.kept()
        draft.repair()
        draft.clear()
        if not lies_on_nodes or plain.is_legal(scheduler):
            yield plain
        if draft.worth > plain.worth and draft.is_legal(scheduler):
            yield draft


def _selections(scheduler: Scheduler, units: Sequence[Unit], now: float) -> Iterator[list[Unit]]:
    """Orders in which to place units when not all fit.

    Of the smallest ones as many as fit together when the largest of them is placed first, then the others; then all of
    them, the smallest first.
    """
    by_size = BatchDraft(scheduler, now).smallest_first(units)
    fit, too_many = 0, len(units) + 1
    while too_many - fit > 1:
        count = (fit + too_many) // 2
        draft = BatchDraft(scheduler, now)
        draft.place(draft.largest_first(by_size[:count]))
        draft.clear()
        fit, too_many = (fit, count) if draft.left else (count, too_many)
    largest_first = BatchDraft(scheduler, now).largest_first
    yield [*largest_first(by_size[:fit]), *by_size[fit:]]
    yield largest_first(units)
    yield by_size


def _mix(units: Sequence[Unit]) -> Mix:
    """What the batch itself asks for: the room to keep."""
    counts = Counter(vm.request.shape for unit in units for vm in unit.vms)
    frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHAPES]
    total = sum(count for _shape, count in frequent)
    return Mix.of(tuple(sorted((shape, count / total) for shape, count in frequent)))


def _packing(policy: Policy) -> Policy:
    """The same rules, by which the fewest slots are lost."""
    projects = {name: _packing(own) for name, own in policy.projects.items()}
    return replace(policy, weights=PACK.weights, turn_at=PACK.turn_at, weights_full={}, projects=projects)


class _Telling:
    """Says what comes of a draft, VM by VM, on the fleet as it is then.

    :param put_down: whether each decision is put into words before the next.
    """

    def __init__(self, scheduler: Scheduler, now: float, put_down: bool) -> None:
        self._scheduler, self._now, self._put_down = scheduler, now, put_down
        # What was told of those who found no host, for others who ask for the same.
        self._refusals: dict[tuple[object, ...], Decision] = {}

    def tell(self, draft: BatchDraft) -> BatchDecision:
        """The answer. What is placed stays there."""
        decisions: dict[str, Decision] = {}
        placed = tuple((vm, draft.places[vm.id]) for unit in draft.done for vm in unit.vms)
        for vm, host in placed:
            decisions[vm.id] = self._said(self._scheduler.place_on(vm.request, host, now=self._now))
            settle(self._scheduler, vm, host)
        left_out = []
        for unit in draft.left:
            tried = self._try(unit)
            decisions |= tried
            left_out.append(LeftOut(unit.group, tuple(vm.id for vm in unit.vms), [*tried][-1]))
        return BatchDecision(placed, tuple(left_out), decisions)

    def _try(self, unit: Unit) -> dict[str, Decision]:
        """What its VMs are told, up to the one that finds no host."""
        told: dict[str, Decision] = {}
        settled: list[tuple[str, str]] = []
        for vm in unit.vms:
            decision = told[vm.id] = self._ask(vm.request) if settled else self._ask_alone(vm.request)
            if decision.host is None:
                break
            settle(self._scheduler, vm, decision.host)
            settled.append((vm.id, decision.host))
        for name, host in reversed(settled):
            unsettle(self._scheduler, name, host)
        return told

    def _ask_alone(self, request: Request) -> Decision:
        """What a VM is told beside all that is placed. To find words for many that are refused alike takes long."""
        company = self._scheduler.fleet.company
        alike = (*request.key, company.claims_on(request), company.itself(request))
        decision = self._refusals[alike].about(request) if alike in self._refusals else self._ask(request)
        if decision.host is None:
            self._refusals.setdefault(alike, decision)
        return decision

    def _ask(self, request: Request) -> Decision:
        return self._said(self._scheduler.place(request, now=self._now))

    def _said(self, decision: Decision) -> Decision:
        return decision.put_down() if self._put_down else decision
