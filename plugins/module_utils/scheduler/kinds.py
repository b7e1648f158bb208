# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Hosts told apart by one thing that never changes: what is asked of it is asked once for each kind of host."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from .arrays import np

if TYPE_CHECKING:
    from .arrays import Mask

Thing = TypeVar("Thing", bound=Hashable)
Wanted = TypeVar("Wanted", bound=Hashable)

# Answers kept: what is wanted most often is wanted again.
_KEPT: Final = 256


class Kinds(Generic[Thing, Wanted]):
    """The hosts of a fleet by one thing of theirs, such as their labels.

    :param things: each host's, in the order of rows.
    :param takes: whether a host with such a thing will do for who wants something of it.
    """

    def __init__(self, things: Iterable[Thing], takes: Callable[[Thing, Wanted], bool]) -> None:
        numbers: dict[Thing, int] = {}
        self._kinds = np.array([numbers.setdefault(thing, len(numbers)) for thing in things], dtype=np.intp)
        self._things = tuple(numbers)
        self._takes = takes
        self._answers: OrderedDict[Wanted, Mask] = OrderedDict()

    def __len__(self) -> int:
        """How many kinds there are."""
        return len(self._things)

    def taking(self, wanted: Wanted) -> Mask:
        """Which hosts will do. To be read alone."""
        answer = self._answers.get(wanted)
        if answer is None:
            good = np.array([self._takes(thing, wanted) for thing in self._things], dtype=np.bool_)
            answer = self._answers[wanted] = good[self._kinds]
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return answer
