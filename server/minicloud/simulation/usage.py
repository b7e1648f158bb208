"""How much of a fleet is promised over time, and how much of what is left is of use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from minicloud_core.scheduler.board import Board
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.grain import grains
from minicloud_core.scheduler.policy import Policy

# Points kept of a trace, however long it is: from so many to twice as many.
KEPT: Final = 8


@dataclass(frozen=True)
class Point:
    """A moment of a trace, and the shares of virtual CPUs and memory that were promised then.

    The whole is what all hosts may promise, those included that take no VMs now. A share is 0 when the whole is.
    """

    at: float
    cpu: float
    ram: float

    def to_mapping(self) -> dict[str, Any]:
        return {"at": self.at, "cpu": round(self.cpu, 6), "ram": round(self.ram, 6)}


class Gauge:
    """Reads a fleet by a policy's figures."""

    def __init__(self, fleet: Fleet, policy: Policy) -> None:
        self._board = Board(fleet, policy.limits)

    def point(self, at: float) -> Point:
        board = self._board
        board.refresh()
        cpu, ram = float(board.cpu_limit.sum()), float(board.ram_limit.sum())
        return Point(at, _share(cpu - float(board.cpu_free.sum()), cpu), _share(ram - float(board.ram_free.sum()), ram))

    def stranded(self, cpu: float, ram_mib: float, disk_bytes: float) -> tuple[float, float]:
        """The shares of free virtual CPUs and of free memory that lie where a request of that size does not fit.

        Counted are hosts that take VMs: ready and not cordoned. Without anything free, nothing of it is stranded.
        """
        board = self._board
        board.refresh()
        taking = board.fleet.placeable & ~board.fleet.cordoned
        cpu_free, ram_free = board.cpu_free.clip(min=0), board.ram_free.clip(min=0)
        fits = (board.cpu_free >= grains(cpu)) & (board.ram_free >= ram_mib) & (board.disk_free >= disk_bytes)
        lost = taking & ~fits
        return (
            _share(float(cpu_free[lost].sum()), float(cpu_free[taking].sum())),
            _share(float(ram_free[lost].sum()), float(ram_free[taking].sum())),
        )


class Course:
    """Points of a trace of unknown length, evenly spread over its requests: every first, then every second, fourth …"""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._points: list[Point] = []
        self._steps, self._every = 0, 1

    def step(self, at: float) -> None:
        """Tell of a request, before it is answered."""
        if self._steps % self._every == 0:
            if len(self._points) == 2 * KEPT:
                self._points = self._points[::2]
                self._every *= 2
            self._points.append(self._gauge.point(at))
        self._steps += 1

    def ended(self, at: float) -> tuple[Point, ...]:
        """The points, and how it ended."""
        return (*self._points, self._gauge.point(at)) if self._steps else ()


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
