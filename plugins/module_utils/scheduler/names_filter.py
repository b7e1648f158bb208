# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Filters that want all of some things of a host that a request calls by their names, such as networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..model.reason import Reason
from .feature_columns import FeatureColumns, Names
from .host import HostView
from .kinds import Kinds
from .request import Request
from .rule import Ask, Filter

if TYPE_CHECKING:
    from .arrays import Mask, Rows


def names_filter(
    name: str,
    wanted: Callable[[Request], Names],
    there: Callable[[HostView], Names | None],
    column: Callable[[FeatureColumns], Kinds[Names, Names] | Kinds[Names | None, Names]],
    words: Callable[[str, int, int], str],
) -> Filter:
    """A filter that refuses hosts which lack any of what is wanted.

    :param there: what a host has.
    :param column: the same of all hosts; one of which nothing is known may be taken at its word, or not.
    :param words: why a host will not do: of what it lacks, in words, how many those are, and of how many.
    """

    def concerns(request: Request) -> bool:
        return bool(wanted(request))

    def passes(ask: Ask, rows: Rows) -> Mask:
        return column(ask.fleet.features).taking(wanted(ask.request))[rows]

    def reason(ask: Ask, row: int) -> Reason:
        names = wanted(ask.request)
        missing = sorted(names - (there(ask.fleet.hosts[row]) or frozenset()))
        message = words(", ".join(missing), len(missing), len(names))
        return Reason(name, message, {"wanted": sorted(names), "missing": missing})

    return Filter(name, passes, reason, concerns, standing=True)
