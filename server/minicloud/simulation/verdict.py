"""What became of one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minicloud_core.scheduler.obstacle import Obstacle
from minicloud_core.scheduler.preemption import Victim


@dataclass(frozen=True)
class Verdict:
    """The answer to one create.

    :param at: the time of the request, by the trace.
    :param vm: the VM's id.
    :param host: where it went; None when no host would have it.
    :param score: the host's score, 0 to 1; None without a host.
    :param preempts: VMs of lower priority that had to leave the host for it.
    :param obstacles: the rules that refused when all hosts were refused; none when there are no hosts at all.
    """

    at: float
    vm: str
    host: str | None
    score: float | None = None
    obstacles: tuple[Obstacle, ...] = ()
    preempts: tuple[Victim, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """A decision line: ``{"at", "id", "host", "score"}``, perhaps with ``preempts``, or with no host and
        ``reasons``."""
        line: dict[str, Any] = {"at": self.at, "id": self.vm, "host": self.host}
        if self.score is not None:
            left = {"preempts": [victim.to_mapping() for victim in self.preempts]} if self.preempts else {}
            return {**line, "score": round(self.score, 6), **left}
        return {**line, "reasons": [obstacle.to_mapping() for obstacle in self.obstacles]}
