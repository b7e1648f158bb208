"""What the tiny guest's heartbeat tells of its life."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

_BEAT = re.compile(r"minicloud-guest (\S+) uptime ([0-9.]+) ticks ([0-9]+)")


@dataclass(frozen=True)
class Beat:
    """One line: the kernel's ``uptime`` in seconds and the process's ``ticks``, one a second."""

    name: str
    uptime: float
    ticks: int


def beats(text: str) -> list[Beat]:
    """All whole heartbeats on a console."""
    return [Beat(match[1], float(match[2]), int(match[3])) for match in _BEAT.finditer(text)]


def assert_one_life(story: list[Beat]) -> None:
    """The guest went on all the while: no tick was lost or came twice, and the kernel never started over."""
    assert len(story) >= 2, f"too few heartbeats to tell: {story}"
    for earlier, later in pairwise(story):
        assert later.ticks == earlier.ticks + 1, f"from {earlier} to {later}"
        assert later.uptime > earlier.uptime, f"from {earlier} to {later}"
