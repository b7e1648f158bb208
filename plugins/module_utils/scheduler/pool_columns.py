# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Pools by name: what each host's hold, and what VMs have been promised of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from .arrays import np
from .host import HostView, Pool

if TYPE_CHECKING:
    import numpy.typing as npt

    from .arrays import Integers, Rows

# Names of which the column is kept.
_KEPT: Final = 64


class PoolColumns:
    """All pools of all hosts in one row each, so that it does not matter how many names there are.

    The last one is no host's: whoever has no pool of a name is sent there, where -1 bytes are left.
    """

    def __init__(self, hosts: Sequence[HostView]) -> None:
        self._hosts = hosts
        self._places: dict[str, dict[int, int]] = {}
        pools: list[Pool] = []
        for row, host in enumerate(hosts):
            for name, pool in host.pools.items():
                self._places.setdefault(name, {})[row] = len(pools)
                pools.append(pool)
        self._size = np.array([*(pool.size_bytes for pool in pools), -1], dtype=np.int64)
        self._used = np.array([*(pool.used_bytes for pool in pools), 0], dtype=np.int64)
        self._columns: OrderedDict[str, npt.NDArray[np.intp]] = OrderedDict()

    def free(self, name: str, rows: Rows) -> Integers:
        """Bytes left in the pool of that name; -1 where a host has none."""
        places = self._column(name)[rows]
        left: Integers = self._size[places] - self._used[places]
        return left

    def pool(self, name: str, row: int) -> Pool | None:
        """A host's pool as it is now; None when it has none of that name."""
        place = self._places.get(name, {}).get(row)
        return None if place is None else Pool(int(self._size[place]), int(self._used[place]))

    def on(self, row: int) -> dict[str, Pool]:
        """A host's pools as they are now."""
        now = ((name, self.pool(name, row)) for name in self._hosts[row].pools)
        return {name: pool for name, pool in now if pool is not None}

    def count(self, row: int, wanted: Mapping[str, int], sign: int) -> None:
        """Promise some bytes, or give them back. What a host has no pool for is counted nowhere."""
        for name, size in wanted.items():
            place = self._places.get(name, {}).get(row)
            if place is not None:
                self._used[place] += sign * size

    def _column(self, name: str) -> npt.NDArray[np.intp]:
        column = self._columns.get(name)
        if column is None:
            column = self._columns[name] = np.full(len(self._hosts), len(self._size) - 1, dtype=np.intp)
            for row, place in self._places.get(name, {}).items():
                column[row] = place
            if len(self._columns) > _KEPT:
                self._columns.popitem(last=False)
        return column
