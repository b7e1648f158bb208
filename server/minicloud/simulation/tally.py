"""Counts what becomes of requests."""

from __future__ import annotations

from collections import Counter

from minicloud_core.scheduler.request import Request

from .report import FirstRefusal, Fragmentation, RefusedBy
from .usage import Gauge
from .verdict import Verdict


class Tally:
    """Counts creates by what became of them, and sums what they asked for."""

    def __init__(self) -> None:
        self.placed = 0
        self.refused = 0
        self.preempted = 0
        self.first_refusal: FirstRefusal | None = None
        self._requests: Counter[str] = Counter()
        self._alone: Counter[str] = Counter()
        self._cpu, self._ram_mib, self._disk_bytes = 0.0, 0, 0

    def count(self, request: Request, verdict: Verdict) -> None:
        self._cpu += request.cpu
        self._ram_mib += request.ram_mib
        self._disk_bytes += request.disk_bytes
        if verdict.host is not None:
            self.placed += 1
            self.preempted += len(verdict.preempts)
            return
        if self.first_refusal is None:
            self.first_refusal = FirstRefusal(verdict.at, verdict.vm, self.placed)
        self.refused += 1
        self._requests.update(obstacle.rule for obstacle in verdict.obstacles)
        self._alone.update(obstacle.rule for obstacle in verdict.obstacles if obstacle.alone)

    def refused_by(self) -> tuple[RefusedBy, ...]:
        """The rules that refused, the one with a part in the most refusals first."""
        counts = sorted(self._requests.items(), key=lambda item: (-item[1], item[0]))
        return tuple(RefusedBy(rule, requests, self._alone[rule]) for rule, requests in counts)

    def fragmentation(self, gauge: Gauge) -> Fragmentation | None:
        creates = self.placed + self.refused
        if not creates:
            return None
        mean = self._cpu / creates, self._ram_mib / creates, self._disk_bytes / creates
        return Fragmentation(*gauge.stranded(*mean), *mean)
