"""What became of one request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minicloud_core.scheduler.obstacle import Obstacle


@dataclass(frozen=True)
class Verdict:
    """The answer to one create.

    :param at: the time of the request, by the trace.
    :param vm: the VM's id.
    :param host: where it went; None when no host would have it.
    :param score: the host's score, 0 to 1; None without a host.
    :param obstacles: the rules that refused when all hosts were refused; none when there are no hosts at all.
    """

    at: float
    vm: str
    host: str | None
    score: float | None = None
    obstacles: tuple[Obstacle, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """A decision line: ``{"at", "id", "host", "score"}`` or ``{"at", "id", "host": null, "reasons"}``."""
        line: dict[str, Any] = {"at": self.at, "id": self.vm, "host": self.host}
        if self.score is not None:
            return {**line, "score": round(self.score, 6)}
        return {**line, "reasons": [obstacle.to_mapping() for obstacle in self.obstacles]}
