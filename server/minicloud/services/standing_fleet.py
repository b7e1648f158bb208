"""The fleet kept between placements, and brought up to date by what changed.

Reading a fleet of a thousand VMs anew for each of them is most of what placing costs. Whatever changes who has room
where either moves a host's generation or gives a share of a host back: three numbers tell whether anything did.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from threading import RLock
from typing import Final

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.preemption import name_of_disks
from minicloud_core.scheduler.request import Request

from minicloud.store import allocation as allocations
from minicloud.store import host as hosts
from minicloud.store import operation as operations
from minicloud.store.allocation import Share
from minicloud.store.host import Measurement
from minicloud.store.store import Session

from .refusal_words import RefusalWords
from .snapshot import Snapshot, host_view, let_lapse, measured_of, note_names, place_name, settle, take_snapshot, vm_of
from .vm_names import VmNames

# Measurements come all the time and decide little: they are read this often, in seconds, and in less than this share
# of the time.
_MEASURE_EVERY: Final = 2.0
_MEASURE_SHARE: Final = 0.05
# When more hosts than these changed, the fleet is read as a whole: each of them costs a query.
_MANY: Final = 16
_UNMEASURED: Final = measured_of(Measurement(), None)


class StandingFleet:
    """One for all of a process, lent to one at a time. What is taken while it is lent counts once it is given back."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: Snapshot | None = None
        self._scheduler: Scheduler | None = None
        self._measure_at = 0.0
        self.words = RefusalWords()
        # Marks of hosts as they are once the borrower's transaction is committed.
        self._moved: dict[str, tuple[int, int]] = {}
        # Those of all hosts in one; None when it has to be counted again.
        self._sum: tuple[int, int, int] | None = None

    @contextmanager
    def lent(self, *, to_take: bool = False) -> Iterator[StandingFleet]:
        """For one borrower alone.

        :param to_take: whether it takes room. It gives the fleet back when its transaction is committed. When it
            fails, nothing was written: the fleet is read anew next time.
        """
        with self._lock:
            try:
                yield self
                if to_take:
                    self._mark_moved()
            except BaseException:
                if to_take:
                    self._kept = self._scheduler = None
                raise
            finally:
                if to_take:
                    self._moved = {}

    def scheduler(self, session: Session, policy: Policy, now: datetime) -> Scheduler:
        """A scheduler on the fleet as a transaction sees it at a moment. To be called while it is lent."""
        kept = self._refreshed(session, now)
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

    def is_current(self, session: Session) -> bool:
        """Whether the fleet that is lent has not changed in the database since."""
        assert self._kept is not None
        return allocations.mark(session) == self._mark(self._kept)

    def advance(self, session: Session, shares: Mapping[str, int]) -> bool:
        """Move on the generations of hosts of which room is taken, if they are still those that were decided by.

        :param shares: for each such host how many shares the transaction writes there, less those that it takes back.
        :returns: False when somebody else was there meanwhile. Then nothing of the transaction may be kept.
        """
        marks = self._marks
        if not hosts.advance_all(session, {name: marks[name][0] for name in shares}):
            return False
        self._moved = {name: (marks[name][0] + 1, marks[name][1] + many) for name, many in shares.items()}
        return True

    def _mark_moved(self) -> None:
        """What was written is committed."""
        if self._kept is None or not self._moved:
            return
        marks, (count, generations, given) = self._kept.marks, self._mark(self._kept)
        given += sum(many - marks[name][1] for name, (_generation, many) in self._moved.items())
        marks.update(self._moved)
        self._sum = count, generations + len(self._moved), given

    def hold(self, reservation: str, host: str, request: Request, until: datetime) -> None:
        """Give a reservation its room. To be called while the fleet is lent, after ``scheduler``."""
        assert self._kept is not None and self._scheduler is not None
        self._scheduler.settle(reservation, host, request)
        self._kept.deadlines.note(reservation, host, until)

    def let_go(self, reservation: str) -> None:
        """Take the room of a reservation that ends."""
        assert self._kept is not None
        host = self._kept.fleet.where(reservation)
        assert host is not None
        self._kept.fleet.remove(reservation)
        self._kept.deadlines.forget(reservation, host)

    def lapsed(self, names: Iterable[str]) -> list[str]:
        """Reservations on hosts whose room counts as free, since their time is over, and which are still said to be
        held. Whoever takes room there has to end them, or a clock that is behind would have it given twice."""
        assert self._kept is not None
        return self._kept.deadlines.lapsed(names)

    @property
    def _marks(self) -> Mapping[str, tuple[int, int]]:
        assert self._kept is not None
        return self._kept.marks

    def _refreshed(self, session: Session, now: datetime) -> Snapshot:
        if self._kept is None:
            self._sum, self._kept = None, self._timed(lambda: take_snapshot(session, now))
        elif allocations.mark(session) != self._mark(self._kept):
            self._sum, self._kept = None, self._caught_up(session, self._kept, now)
        elif time.monotonic() >= self._measure_at:
            kept = self._kept
            self._kept = self._timed(lambda: _measured(session, kept))
        let_lapse(self._kept, now)
        return self._kept

    def _mark(self, kept: Snapshot) -> tuple[int, int, int]:
        if self._sum is None:
            marks = kept.marks.values()
            generations = sum(generation for generation, _many in marks)
            self._sum = len(marks), generations, sum(many for _generation, many in marks)
        return self._sum

    def _caught_up(self, session: Session, kept: Snapshot, now: datetime) -> Snapshot:
        marks = allocations.marks(session)
        changed = {name for name, mark in marks.items() if kept.marks.get(name) != mark}
        if marks.keys() != kept.marks.keys() or len(changed) > _MANY:
            return self._timed(lambda: take_snapshot(session, now))
        for row in hosts.named(session, changed).values():
            if _lasting(host_view(row)) != _lasting(kept.fleet.hosts[kept.fleet.rows[row.name]]):
                return self._timed(lambda: take_snapshot(session, now))
        gone = [vm for name in changed for vm in _resettle(session, kept, name)]
        # A VM that left its host for good is at home where it had gone on its way.
        for name in allocations.hosts_of(session, gone) - changed if gone else ():
            _resettle(session, kept, name)
        for vm in gone:
            if kept.fleet.where(vm) is None and kept.fleet.where(name_of_disks(vm)) is None:
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
    return replace(host, generation=0, **_UNMEASURED)


def _resettle(session: Session, kept: Snapshot, host: str) -> set[str]:
    """Look again at who has a share of one host.

    :returns: who has none there any more.
    """
    shares = allocations.shares(session, host=host)
    note_names(kept.names, shares)
    kept.deadlines.renew(host, {share.vm: share.until for share in shares if share.until is not None})
    there = {place_name(share): share for share in shares}
    before = set(kept.fleet.on(host))
    here = {place for place in before & there.keys() if _is_as_large(kept.fleet.request_of(place), there[place])}
    for place in before - here:
        kept.fleet.remove(place)
    for place in sorted(there.keys() - here):
        if kept.fleet.where(place) is not None:
            kept.fleet.remove(place)
        settle(kept.fleet, [there[place]], kept.names)
    return {vm_of(place) for place in before - there.keys()}


def _is_as_large(request: Request, share: Share) -> bool:
    """Whether a share is what it was: it grows and shrinks where one VM makes room for another."""
    return (request.cpu, request.ram_mib) == (share.cpu, share.ram_mib)


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


def _with(host: HostView, measurement: Measurement | None) -> HostView:
    now = _UNMEASURED if measurement is None else measured_of(measurement, host.bandwidth_mbps)
    return host if all(getattr(host, name) == value for name, value in now.items()) else replace(host, **now)
