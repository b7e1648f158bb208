# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Moments of a fleet's life, so that what was said at one can be told later as it was then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# What takes a change back: a method of the fleet, and what it is called with.
Undo = tuple[Callable[..., None], tuple[Any, ...]]


class Moment:
    """A moment. The changes after it hang from it one by one: they are kept as long as somebody holds a moment before
    them, and not a moment longer."""

    __slots__ = ("__weakref__", "_next", "_undo")

    def __init__(self) -> None:
        self._undo: Undo | None = None
        self._next: Moment | None = None

    def passes(self, undo: Undo) -> Moment:
        """The moment after a change.

        :param undo: what takes that change back.
        """
        self._undo, self._next = undo, Moment()
        return self._next

    def undoes(self) -> list[Undo]:
        """What takes back all changes since this moment, in the order in which to do it: the newest first."""
        found: list[Undo] = []
        moment = self
        while moment._undo is not None and moment._next is not None:
            found.append(moment._undo)
            moment = moment._next
        return found[::-1]
