"""What guests ask of their host beside its CPUs, from counters that only ever grow: waiting, disks, network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from minicloud.services.view.observation import Measurements

from .smoothing import SHORTEST, smoothed

# What no request has shown for so long, in seconds, is not known any more.
LATENCY_KEPT: Final = 600.0
_SECOND_NS: Final = 10**9
_MS_NS: Final = 10**6
_MEGABIT: Final = 10**6


@dataclass(frozen=True)
class Counters:
    """What one domain, or several, used since their start.

    :param waited_ns: time in which their virtual CPUs could have run and did not; None where it is not told.
    :param requests: reads and writes of their disks that were answered, which took ``request_ns`` in all.
    :param received: bytes; likewise ``sent``.
    """

    waited_ns: int | None = 0
    requests: int = 0
    request_ns: int = 0
    received: int = 0
    sent: int = 0

    def since(self, earlier: Counters) -> Counters | None:
        """What was used after an earlier reading; None when counters went back: it has started anew."""
        waited = None
        if self.waited_ns is not None and earlier.waited_ns is not None:
            waited = self.waited_ns - earlier.waited_ns
        used = Counters(
            waited,
            self.requests - earlier.requests,
            self.request_ns - earlier.request_ns,
            self.received - earlier.received,
            self.sent - earlier.sent,
        )
        figures = (used.waited_ns or 0, used.requests, used.request_ns, used.received, used.sent)
        return None if min(figures) < 0 else used

    def __add__(self, other: Counters) -> Counters:
        told = [one.waited_ns for one in (self, other) if one.waited_ns is not None]
        return Counters(
            sum(told) if told else None,
            self.requests + other.requests,
            self.request_ns + other.request_ns,
            self.received + other.received,
            self.sent + other.sent,
        )


def read_counters(statistics: Mapping[str, Any]) -> Counters | None:
    """A domain's counters, from its record of ``virConnectGetAllDomainStats``.

    :returns: None for one that does not run, or whose monitor is busy: that tells too little.
    """
    requests = _each(statistics, "block", "count", "rd.reqs", "wr.reqs")
    if "vcpu.current" not in statistics or (statistics.get("block.count") and not requests):
        return None
    waited = _each(statistics, "vcpu", "maximum", "delay")
    return Counters(
        waited_ns=sum(waited) if waited else None,
        requests=sum(requests),
        request_ns=sum(_each(statistics, "block", "count", "rd.times", "wr.times")),
        received=sum(_each(statistics, "net", "count", "rx.bytes")),
        sent=sum(_each(statistics, "net", "count", "tx.bytes")),
    )


def _each(statistics: Mapping[str, Any], group: str, count: str, *names: str) -> list[int]:
    """Those figures of every virtual CPU, disk or card that are told."""
    numbers = range(int(statistics.get(f"{group}.{count}") or 0))
    keys = (f"{group}.{number}.{name}" for number in numbers for name in names)
    return [int(statistics[key]) for key in keys if key in statistics]


def memory_in_use(told: Mapping[str, int], set_aside_mib: int) -> float | None:
    """The share of a host's memory that is in use, 0 to 1; None where it does not tell.

    What it could give up at once is not in use. Huge pages are left out: they are promised apart, and whether a guest
    has them or not, they are never free.

    :param told: of ``virNodeGetMemoryStats``, in KiB.
    :param set_aside_mib: in huge pages.
    """
    total = int(told.get("total", 0)) - set_aside_mib * 1024
    spare = sum(int(told.get(name, 0)) for name in ("free", "buffers", "cached"))
    return None if total <= 0 else min(1.0, max(0.0, 1.0 - spare / total))


@dataclass(frozen=True)
class Demand:
    """What was measured so far.

    :param at: when it was last read, in seconds, monotonic; ``answered_at`` when a disk last answered a request.
    :param counters: each domain's then, by UUID.
    """

    at: float | None = None
    counters: Mapping[str, Counters] = field(default_factory=dict)
    measured: Measurements = field(default_factory=Measurements)
    answered_at: float = float("-inf")

    def after(self, at: float, counters: Mapping[str, Counters], *, memory: float | None, threads: int) -> Demand:
        """What is known once these were read. A reading that follows too closely changes nothing.

        :param memory: the share of the host's memory that is in use, 0 to 1; None when it cannot tell.
        :param threads: the host's.
        """
        if self.at is None:
            return Demand(at, counters, Measurements(memory=memory))
        elapsed = at - self.at
        if elapsed < SHORTEST:
            return self
        used = self._used(counters)
        answered_at = at if used.requests else self.answered_at
        before = self.measured
        measured = Measurements(
            memory=_next(before.memory, memory, elapsed),
            pressure=_next(before.pressure, _pressure(used, elapsed, threads), elapsed),
            network_mbps=_next(before.network_mbps, _megabits(used, elapsed), elapsed),
            io_latency_ms=_latency(before.io_latency_ms, used, elapsed) if at - answered_at <= LATENCY_KEPT else None,
        )
        return Demand(at, counters, measured, answered_at)

    def _used(self, counters: Mapping[str, Counters]) -> Counters:
        """What was used since the last reading, by the domains that were there then and did not start anew."""
        there = [(now, self.counters[uuid]) for uuid, now in counters.items() if uuid in self.counters]
        total = Counters() if not there else Counters(waited_ns=None)
        for used in (now.since(before) for now, before in there):
            total = total if used is None else total + used
        return total


def _next(mean: float | None, value: float | None, elapsed: float) -> float | None:
    """What cannot be told any more is not known, whatever it was."""
    return None if value is None else smoothed(mean, value, elapsed)


def _pressure(used: Counters, elapsed: float, threads: int) -> float | None:
    """Virtual CPUs that waited for a thread, for each thread: 1 where one waited on each of them all the time."""
    if used.waited_ns is None:
        return None
    return min(1.0, used.waited_ns / (elapsed * _SECOND_NS * max(1, threads)))


def _megabits(used: Counters, elapsed: float) -> float:
    """Megabits a second in the busier of both directions, which networks carry apart."""
    return max(used.received, used.sent) * 8 / _MEGABIT / elapsed


def _latency(mean: float | None, used: Counters, elapsed: float) -> float | None:
    """Milliseconds that a request took; what it was where there was none."""
    return smoothed(mean, used.request_ns / used.requests / _MS_NS, elapsed) if used.requests else mean
