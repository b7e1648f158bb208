# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""State machines as tables that refuse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .errors import TransitionError


class TransitionTable:
    """The legal moves of one state machine.

    :param noun: what has the state, for messages: ``VM``.
    :param moves: for each state, the states it may move to. Every state is a key, terminal ones with an empty set.
    """

    def __init__(self, noun: str, moves: Mapping[str, Iterable[str]]) -> None:
        self.noun = noun
        self.moves = {state: frozenset(targets) for state, targets in moves.items()}
        unknown = {target for targets in self.moves.values() for target in targets} - set(self.moves)
        if unknown:
            raise ValueError(f"{noun}: moves lead to states that are no keys: {sorted(unknown)}")

    @property
    def states(self) -> frozenset[str]:
        return frozenset(self.moves)

    def allows(self, old: str, new: str) -> bool:
        return new in self.moves.get(old, frozenset())

    def check(self, old: str, new: str) -> str:
        """Return ``new`` when the move is legal.

        :raises TransitionError: naming both states and what would be legal.
        """
        if not self.allows(old, new):
            legal = ", ".join(sorted(self.moves.get(old, ()))) or "nothing"
            raise TransitionError(
                f"{self.noun} cannot go from {old} to {new}",
                hint=f"from {old} it may go to: {legal}",
                details={"from": old, "to": new},
            )
        return new
