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


def assert_one_life(story: list[Beat], *, torn: int = 0) -> None:
    """The guest went on all the while: neither its kernel nor its process started over, and no tick came twice.

    :param torn: how many lines may be unreadable, because the guest was moved while it wrote them.
    """
    assert len(story) >= 2, f"too few heartbeats to tell: {story}"
    for earlier, later in pairwise(story):
        assert later.ticks > earlier.ticks, f"from {earlier} to {later}"
        assert later.uptime > earlier.uptime, f"from {earlier} to {later}"
    missing = story[-1].ticks - story[0].ticks + 1 - len(story)
    assert missing <= torn, f"{missing} heartbeats are missing: {story}"
