"""What came of a trace, told at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .usage import Point


@dataclass(frozen=True)
class RefusedBy:
    """A rule that had a part in refusals.

    :param requests: refused requests to which it refused a host.
    :param alone: those of them that would have found a host without it, since to one host it alone objected.
    """

    rule: str
    requests: int
    alone: int

    def to_mapping(self) -> dict[str, Any]:
        return {"rule": self.rule, "requests": self.requests, "alone": self.alone}


@dataclass(frozen=True)
class Fragmentation:
    """Free room of no use: the shares of free virtual CPUs and free memory on hosts where the mean request of the trace
    does not fit. The mean is over all creates, placed or not."""

    cpu: float
    ram: float
    mean_cpu: float
    mean_ram_mib: float
    mean_disk_bytes: float

    def to_mapping(self) -> dict[str, Any]:
        mean = {
            "cpu": round(self.mean_cpu, 3),
            "ram_mib": round(self.mean_ram_mib, 3),
            "disk_bytes": round(self.mean_disk_bytes),
        }
        return {"cpu": round(self.cpu, 6), "ram": round(self.ram, 6), "mean_request": mean}


@dataclass(frozen=True)
class FirstRefusal:
    """The first request that found no host, and how many had found one by then."""

    at: float
    vm: str
    placed_before: int

    def to_mapping(self) -> dict[str, Any]:
        return {"at": self.at, "id": self.vm, "placed_before": self.placed_before}


@dataclass(frozen=True)
class Report:
    """The whole of it.

    :param preempted: VMs that had to leave for others of higher priority.
    :param deletes: deletes of VMs that were there; ``deletes_of_refused`` of those that had found no host, or had to
        leave theirs.
    :param fragmentation: None when the trace asked for nothing.
    :param cpu_seconds: CPU time spent deciding; reading and writing files not counted.
    """

    policy: str
    policy_version: str
    placed: int
    refused: int
    preempted: int
    deletes: int
    deletes_of_refused: int
    first_refusal: FirstRefusal | None
    refused_by: tuple[RefusedBy, ...]
    utilisation: tuple[Point, ...]
    fragmentation: Fragmentation | None
    cpu_seconds: float

    @property
    def speed(self) -> float | None:
        """Decisions for each second of CPU time; None without any."""
        decisions = self.placed + self.refused
        return decisions / self.cpu_seconds if decisions and self.cpu_seconds > 0 else None

    def to_mapping(self) -> dict[str, Any]:
        return {
            "policy": self.policy,
            "policy_version": self.policy_version,
            "creates": self.placed + self.refused,
            "placed": self.placed,
            "refused": self.refused,
            "preempted": self.preempted,
            "deletes": self.deletes,
            "deletes_of_refused": self.deletes_of_refused,
            "first_refusal": _mapping(self.first_refusal),
            "refused_by": [one.to_mapping() for one in self.refused_by],
            "utilisation": [point.to_mapping() for point in self.utilisation],
            "fragmentation": _mapping(self.fragmentation),
            "decisions_per_cpu_second": None if self.speed is None else round(self.speed),
        }


def _mapping(part: FirstRefusal | Fragmentation | None) -> Mapping[str, Any] | None:
    return None if part is None else part.to_mapping()
