"""Decisions on record, made again under another policy.

What was not kept cannot be made again: hosts are as they are now, with their size, labels, state, cordons and measured
load, while VMs come and go as the record says. So each decision is also made again under the policy that made it, as
far as that one is at hand: where even that one decides otherwise now, it is not the other policy's doing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.obstacle import Obstacle
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.preemption import left_behind, name_of_disks
from minicloud_core.scheduler.request import Request

from .record import Record


@dataclass(frozen=True)
class Retrial:
    """A decision made again.

    :param host: where the other policy places it; None when it refuses.
    :param score: that host's.
    :param again: where the policy that decided would place it now; None when it would refuse, or is not ``known``.
    :param obstacles: what refuses, where ``host`` is None.
    """

    record: Record
    host: str | None
    score: float | None
    again: str | None
    known: bool
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def same(self) -> bool:
        return self.host == self.record.host

    @property
    def by_policy(self) -> bool:
        """Whether the other policy alone makes the difference."""
        return not self.same and self.known and self.again == self.record.host

    def to_mapping(self) -> dict[str, Any]:
        record = self.record
        return {
            "vm": record.vm,
            "name": record.name,
            "project": record.project,
            "at": record.at,
            "was": record.host,
            "host": self.host,
            "score": None if self.score is None else round(self.score, 6),
            "again": self.again,
            "by_policy": self.by_policy if self.known else None,
            "obstacles": [obstacle.to_mapping() for obstacle in self.obstacles],
        }


@dataclass(frozen=True)
class Bench:
    """What decisions are made again by.

    :param policy: the other policy.
    :param known: policies that may have decided, by their versions.
    :param now: Unix seconds, against which the age of measurements is told.
    """

    policy: Policy
    known: Mapping[str, Policy]
    now: float


def retry(fleet: Fleet, records: Sequence[Record], bench: Bench, *, last: int | None = None) -> Iterator[Retrial]:
    """Make decisions again, the oldest first. What each VM takes, it takes where the record says.

    :param fleet: the hosts, with the VMs of which nothing is on record. It is used up.
    :param records: in the order in which they were made.
    :param last: how many of them to make again, the last ones; the others are only taken for granted. None for all.
    """
    past = _Past(fleet)
    schedulers = {version: Scheduler(fleet, one) for version, one in bench.known.items()}
    other = Scheduler(fleet, bench.policy)
    first = 0 if last is None else len(records) - last
    for number, record in enumerate(records):
        past.let_go(record.at)
        if number >= first:
            yield _retry(record, other, schedulers.get(record.version or ""), bench.now)
        past.house(record, other)


def _retry(record: Record, other: Scheduler, deciding: Scheduler | None, now: float) -> Retrial:
    chosen = _choose(other, record.request, now)
    host, score = chosen or (None, None)
    again = None if deciding is None else _choose(deciding, record.request, now)
    return Retrial(
        record,
        host,
        score,
        again=None if again is None else again[0],
        known=deciding is not None,
        obstacles=() if chosen is not None else other.obstacles(record.request, now=now),
    )


def _choose(scheduler: Scheduler, request: Request, now: float) -> tuple[str, float] | None:
    """The host with its score, perhaps one that others have to leave; None when none will do."""
    chosen = scheduler.choose_scored(request, now=now)
    plan = scheduler.preempt(request, now=now) if chosen is None else None
    return chosen if plan is None else (plan.host, plan.score)


class _Past:
    """VMs as they came and went."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ends: list[tuple[float, str]] = []

    def let_go(self, at: float) -> None:
        """Take those out that were deleted by then."""
        while self._ends and self._ends[0][0] <= at:
            vm = heappop(self._ends)[1]
            self._take_out(vm)
            self._take_out(name_of_disks(vm))

    def house(self, record: Record, scheduler: Scheduler) -> None:
        """Give a VM its room; one that was somewhere else has moved. A host that is gone has taken its room along."""
        if record.vm is None:
            return
        self._take_out(record.vm)
        for vm in record.preempts:
            self._turn_off(vm)
        if record.host in self._fleet.rows:
            try:
                scheduler.take(record.vm, record.host, record.request)
            except ValueError:
                # The host has not so much room on its NUMA nodes now: it counts on the host as a whole alone.
                self._fleet.add(record.vm, record.host, record.request)
        if record.ended_at is not None:
            heappush(self._ends, (record.ended_at, record.vm))

    def _turn_off(self, vm: str) -> None:
        """One that made room leaves its disks; when it has room again, the record says what it takes beside them."""
        host = self._fleet.where(vm)
        if host is not None:
            remains = left_behind(self._fleet.request_of(vm))
            self._take_out(vm)
            self._take_out(name_of_disks(vm))
            self._fleet.add(name_of_disks(vm), host, remains)

    def _take_out(self, vm: str) -> None:
        if self._fleet.where(vm) is not None:
            self._fleet.remove(vm)
