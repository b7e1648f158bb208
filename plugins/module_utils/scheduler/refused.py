# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The hosts of a fleet by what refuses them: thousands of hosts are refused in a handful of ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .arrays import np
from .sheet import Sheet

if TYPE_CHECKING:
    from .arrays import Integers


def refused_by(sheet: Sheet) -> Mapping[tuple[str, ...], Integers]:
    """For each set of rules that some hosts are refused by, in the order of rules, the rows of those hosts.

    The set of the first host comes first.
    """
    packed = np.packbits(~sheet.passes, axis=0)
    which = np.zeros(packed.shape[1], dtype=np.int64)
    # Eight rules at a time, so that any number of them can be told apart.
    for byte in packed.astype(np.int64):
        which = np.unique(which * 256 + byte, return_inverse=True)[1]
    order = np.argsort(which, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(which[order])) + 1) if len(order) else []
    return {
        tuple(rule.name for rule in sheet.refusing(int(rows[0]))): rows
        for rows in sorted(groups, key=lambda rows: int(rows[0]))
    }
