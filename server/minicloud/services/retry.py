"""When another try is worth it. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from minicloud_core.model.operation import DEFAULT_TRIES, TRIES

FIRST_SECONDS: Final = 2.0
LONGEST_SECONDS: Final = 60.0


def back_off(
    tries: int, fraction: float, *, first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS
) -> timedelta:
    """How long to wait after that many tries: doubling, cut at ``longest``, spread over its upper half.

    :param fraction: chance, 0 to 1: without it all that failed together would come back together.
    """
    whole = min(longest, first * 2.0 ** min(max(0, tries - 1), 32))
    return timedelta(seconds=whole * (0.5 + fraction / 2))


def tries_of(kind: str) -> int:
    """How often a kind is tried in all."""
    return TRIES.get(kind, DEFAULT_TRIES)
