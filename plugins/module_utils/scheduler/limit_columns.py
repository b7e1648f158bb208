# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A policy's figures for each host of a fleet: those of the first of its groups that says one, else the policy's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .arrays import np
from .fleet import Fleet
from .limits import HostGroup, Limits

if TYPE_CHECKING:
    from .arrays import Vector


@dataclass(frozen=True)
class LimitColumns:
    """The same names as in ``Limits``, each a column over hosts. What a host says of itself is not among them."""

    cpu_overcommit: Vector
    ram_reserved_mib: Vector
    load_fresh_seconds: Vector
    metrics_fresh_seconds: Vector
    creates_at_once: Vector

    @classmethod
    def of(cls, fleet: Fleet, limits: Limits) -> LimitColumns:
        """The columns for a fleet."""
        return cls(**{name: _column(fleet, limits, name) for name in HostGroup.FIGURES})


def _column(fleet: Fleet, limits: Limits, name: str) -> Vector:
    column = np.full(len(fleet), getattr(limits, name), dtype=np.float64)
    # The first group has the last word.
    for group in reversed(limits.groups):
        figure = getattr(group, name)
        if figure is not None:
            column[fleet.features.labels.taking(frozenset(group.labels.items()))] = figure
    return column
