# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How evenly a fleet is used, as one number: the smaller, the better.

The score is that of Ganeti's balancer, as its manual page ``hbal(1)`` states it, for VMs that have one host each: the
standard deviations, over the hosts that take VMs, of the share of memory that is promised, of the share of disk, and
of virtual CPUs by thread; and 1 for each violation, which no evenness can make up for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..arrays import np
from ..fleet import Fleet
from ..grain import GRAINS

if TYPE_CHECKING:
    from ..arrays import Mask, Vector

# What is evened out, in the order of a ledger's rows.
METRICS: Final = ("memory", "disk", "cpu")
_DIGITS: Final = 6


@dataclass(frozen=True)
class Balance:
    """The score and its parts.

    :param memory: standard deviation of promised memory, as a share of each host's; likewise disk.
    :param cpu: standard deviation of promised virtual CPUs for each thread.
    :param violations: VMs that are where a hard rule of the policy would not have them.
    """

    memory: float
    disk: float
    cpu: float
    violations: int = 0

    @property
    def score(self) -> float:
        return self.memory + self.disk + self.cpu + self.violations

    def to_mapping(self) -> dict[str, Any]:
        parts = {name: round(getattr(self, name), _DIGITS) for name in ("score", *METRICS)}
        return {**parts, "violations": self.violations}


class Ledger:
    """What is promised on each host, by metric.

    :ivar used: metrics by hosts: MiB, bytes and grains. :ivar rates: what one of each is of a host; 0 where the host
        does not count, since it takes no VMs or has none of it.
    """

    def __init__(self, fleet: Fleet) -> None:
        totals = np.array([fleet.ram, fleet.disk, fleet.cpu * GRAINS], dtype=np.float64)
        self.counts: Mask = (totals > 0) & fleet.placeable & ~fleet.cordoned
        self.rates: Vector = np.divide(1.0, totals, out=np.zeros_like(totals), where=self.counts)
        self.hosts: Vector = np.maximum(self.counts.sum(axis=1), 1).astype(np.float64)
        self.used: Vector = np.array([fleet.ram_used, fleet.disk_used, fleet.cpu_used], dtype=np.float64)

    def shares(self) -> Vector:
        """What is promised of each host: metrics by hosts."""
        shares: Vector = self.used * self.rates
        return shares

    def moments(self) -> tuple[Vector, Vector, Vector]:
        """For each metric each host's distance from the mean, 0 for those that do not count; the mean; the variance."""
        shares = self.shares()
        means: Vector = shares.sum(axis=1) / self.hosts
        distances: Vector = np.where(self.counts, shares - means[:, None], 0.0)
        return distances, means, (distances * distances).sum(axis=1) / self.hosts

    def balance(self, violations: int = 0) -> Balance:
        _distances, _means, variances = self.moments()
        memory, disk, cpu = np.sqrt(variances).tolist()
        return Balance(memory, disk, cpu, violations)
