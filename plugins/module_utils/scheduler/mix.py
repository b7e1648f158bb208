# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is asked for lately: the shapes of VMs for which a fleet should keep room."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

from .request import Request, Shape

# Requests looked back upon; shapes told apart, the most frequent ones; requests after which they are counted anew.
RECENT: Final = 1024
SHAPES: Final = 32
EVERY: Final = 128

# What clouds are usually asked for: powers of two, with 2 or 4 GiB for each CPU, on one NUMA node or in halves on two.
# It counts as so many requests of each shape, until real ones have taken their place.
USUAL: Final[tuple[Shape, ...]] = (
    *((float(cpu), cpu * ram, 1) for cpu in (1, 2, 4, 8, 16, 32) for ram in (2048, 4096)),
    *((float(cpu), cpu * ram, 2) for cpu in (8, 16, 32, 64) for ram in (2048, 4096)),
)
USUAL_COUNT: Final = 4


class Mix:
    """The shapes of recent requests, each with its share.

    ``version`` tells when ``shares`` are others. They are counted anew now and then rather than every time, since what
    is computed by them is kept.
    """

    def __init__(self) -> None:
        self._recent: deque[Shape] = deque(USUAL * USUAL_COUNT, maxlen=RECENT)
        self._noted = 0
        self.version = 0
        self.shares: tuple[tuple[Shape, float], ...] = ()
        self._recount()

    def note(self, request: Request) -> None:
        """Remember a request."""
        self._recent.append(request.shape)
        self._noted += 1
        if self._noted % EVERY == 0:
            self._recount()

    @classmethod
    def of(cls, shares: tuple[tuple[Shape, float], ...]) -> Mix:
        """A mix of those shares."""
        mix = cls()
        mix.shares = shares
        return mix

    def _recount(self) -> None:
        frequent = sorted(Counter(self._recent).items(), key=lambda item: (-item[1], item[0]))[:SHAPES]
        # In an order that tells nothing: other shares of the same shapes change less than other shapes do. Those of as
        # many NUMA nodes stand together, since they are counted together.
        most = sorted(frequent, key=lambda item: (item[0][2], item[0]))
        total = sum(count for _shape, count in most)
        shares = tuple((shape, count / total) for shape, count in most)
        if shares != self.shares:
            self.shares = shares
            self.version += 1
