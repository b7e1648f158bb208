"""What is measured, smoothed: placement should see the last half minute, not the last blink."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

TIME_CONSTANT = 30.0
# Two readings closer than this say more about rounding than about load, in seconds.
SHORTEST = 1.0


def smoothed(mean: float | None, value: float, elapsed: float) -> float:
    """An exponentially weighted mean, once so many seconds had that value."""
    return value if mean is None else mean + (1.0 - exp(-elapsed / TIME_CONSTANT)) * (value - mean)


@dataclass(frozen=True)
class CpuTimes:
    """CPU time of a whole host since its start, in nanoseconds of all its threads, at ``at`` (seconds, monotonic)."""

    at: float
    idle: int
    total: int


@dataclass(frozen=True)
class Load:
    """Exponentially weighted mean of CPU use, 0 to 1; ``value`` is None until two readings were taken."""

    last: CpuTimes | None = None
    value: float | None = None

    def after(self, times: CpuTimes) -> Load:
        """The load once ``times`` was read.

        A reading that follows too closely changes nothing; one whose counters went back begins anew.
        """
        if self.last is None:
            return Load(times, self.value)
        elapsed, total = times.at - self.last.at, times.total - self.last.total
        if elapsed < SHORTEST:
            return self
        idle = times.idle - self.last.idle
        if total <= 0 or idle < 0:
            return Load(times, self.value)
        use = min(1.0, max(0.0, 1.0 - idle / total))
        return Load(times, smoothed(self.value, use, elapsed))
