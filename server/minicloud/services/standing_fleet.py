"""The fleet kept between placements, and brought up to date by what changed.

Reading a fleet of a thousand VMs anew for each of them is most of what placing costs. Whatever changes who has room
where either moves a host's generation or gives a share of a host back: three numbers tell whether anything did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from threading import RLock
from typing import Final

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import Policy

from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store.store import Session

from .snapshot import Snapshot, host_view, note_names, place_name, settle, take_snapshot
from .vm_names import VmNames

# Measurements come all the time and decide little: they are read this often, in seconds, and in less than this share
# of the time.
_MEASURE_EVERY: Final = 2.0
_MEASURE_SHARE: Final = 0.05
# When more hosts than these changed, the fleet is read as a whole: each of them costs a query.
_MANY: Final = 16


class StandingFleet:
    """One for all of a process, lent to one at a time. What is taken while it is lent counts once it was kept."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: Snapshot | None = None
        self._scheduler: Scheduler | None = None
        self._measure_at = 0.0

    @contextmanager
    def lent(self, *, to_take: bool = False) -> Iterator[StandingFleet]:
        """For one borrower alone.

        :param to_take: whether it takes room. When it fails, nothing was written: the fleet is read anew next time.
        """
        with self._lock:
            try:
                yield self
            except BaseException:
                if to_take:
                    self._kept = self._scheduler = None
                raise

    def scheduler(self, session: Session, policy: Policy) -> Scheduler:
        """A scheduler on the fleet as a transaction sees it. To be called while it is lent."""
        kept = self._refreshed(session)
        if self._scheduler is None or self._scheduler.fleet is not kept.fleet or self._scheduler.policy is not policy:
            self._scheduler = Scheduler(kept.fleet, policy)
        if self._scheduler.counts_creates:
            _count_creates(session, kept.fleet)
        return self._scheduler

    @property
    def names(self) -> VmNames:
        """The VMs of each project, by name and by id."""
        assert self._kept is not None
        return self._kept.names

    def generation(self, host: str) -> int:
        """The generation of the host by which was decided."""
        assert self._kept is not None
        return self._kept.marks[host][0]

    def keep(self, host: str, shares: int) -> None:
        """Shares of a host that were taken from the fleet have been written, and its generation moved on by one."""
        assert self._kept is not None
        generation, before = self._kept.marks[host]
        self._kept.marks[host] = (generation + 1, before + shares)

    def _refreshed(self, session: Session) -> Snapshot:
        if self._kept is None:
            self._kept = self._timed(lambda: take_snapshot(session))
        elif allocations.mark(session) != self._mark(self._kept):
            self._kept = self._caught_up(session, self._kept)
        elif time.monotonic() >= self._measure_at:
            kept = self._kept
            self._kept = self._timed(lambda: _measured(session, kept))
        return self._kept

    @staticmethod
    def _mark(kept: Snapshot) -> tuple[int, int, int]:
        marks = kept.marks.values()
        return len(marks), sum(generation for generation, _many in marks), sum(many for _generation, many in marks)

    def _caught_up(self, session: Session, kept: Snapshot) -> Snapshot:
        marks = allocations.marks(session)
        changed = {name for name, mark in marks.items() if kept.marks.get(name) != mark}
        if marks.keys() != kept.marks.keys() or len(changed) > _MANY:
            return self._timed(lambda: take_snapshot(session))
        for row in hosts.named(session, changed).values():
            if _lasting(host_view(row)) != _lasting(kept.fleet.hosts[kept.fleet.rows[row.name]]):
                return self._timed(lambda: take_snapshot(session))
        gone = [vm for name in changed for vm in _resettle(session, kept, name)]
        # A VM that left its host for good is at home where it had gone on its way.
        for name in allocations.hosts_of(session, gone) - changed if gone else ():
            _resettle(session, kept, name)
        for vm in gone:
            if kept.fleet.where(vm) is None:
                kept.names.forget(vm)
        kept.marks.update((name, marks[name]) for name in changed)
        return kept

    def _timed(self, read: Callable[[], Snapshot]) -> Snapshot:
        """Reading the fleet as a whole also reads what was measured; the next time is not before it has paid off."""
        began = time.monotonic()
        kept = read()
        ended = time.monotonic()
        self._measure_at = ended + max(_MEASURE_EVERY, (ended - began) / _MEASURE_SHARE)
        return kept


def _lasting(host: HostView) -> HostView:
    """A host without what changes all the time, which is looked after elsewhere."""
    return replace(host, generation=0, load=None, load_at=None)


def _resettle(session: Session, kept: Snapshot, host: str) -> set[str]:
    """Look again at who has a share of one host.

    :returns: who has none there any more.
    """
    shares = allocations.shares(session, host=host)
    note_names(kept.names, shares)
    there = {place_name(share.vm, share.host, share.home): share for share in shares}
    here = set(kept.fleet.on(host))
    for place in here - there.keys():
        kept.fleet.remove(place)
    for place in sorted(there.keys() - here):
        if kept.fleet.where(place) is not None:
            kept.fleet.remove(place)
        settle(kept.fleet, [there[place]], kept.names)
    return here - there.keys()


def _count_creates(session: Session, fleet: Fleet) -> None:
    """Look again at how many VMs are being created where: creates end without moving anything else."""
    counts = operations.creates_by_host(session)
    for host, before in zip(fleet.hosts, fleet.creating.tolist(), strict=True):
        if counts.get(host.id, 0) != before:
            fleet.set_creating(host.id, counts.get(host.id, 0))


def _measured(session: Session, kept: Snapshot) -> Snapshot:
    """The same fleet with newer measurements. A host that is not among them any more changes the marks as well."""
    measured = hosts.measurements(session)
    views = [_with(host, measured.get(host.id)) for host in kept.fleet.hosts]
    same = all(view is host for view, host in zip(views, kept.fleet.hosts, strict=True))
    return kept if same else replace(kept, fleet=kept.fleet.with_hosts(views))


def _with(host: HostView, measurement: tuple[float | None, datetime | None] | None) -> HostView:
    load, at = measurement or (None, None)
    seconds = None if at is None else at.timestamp()
    return host if (host.load, host.load_at) == (load, seconds) else replace(host, load=load, load_at=seconds)
