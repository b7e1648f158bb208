# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which rules count, and how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..model.errors import InputError, Problem
from .filters import FILTERS
from .limits import Limits
from .scorers import SCORERS


@dataclass(frozen=True)
class Policy:
    """A named choice of rules.

    :param name: what a decision remembers it by.
    :param filters: names of hard rules, in the order in which refusals are listed.
    :param weights: for each scorer's name its weight, above 0.
    :param limits: figures for hosts that state none.
    :param turn_at: from which share of the fleet's virtual CPUs or memory promised (the larger) ``weights_full`` count
        instead; above 1 for never.
    :raises InputError: naming each rule that does not exist and each weight that is no weight.
    """

    name: str
    filters: tuple[str, ...] = tuple(FILTERS)
    weights: Mapping[str, float] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    turn_at: float = 2.0
    weights_full: Mapping[str, float] = field(default_factory=dict)

    def weights_at(self, fill: float) -> Mapping[str, float]:
        """The weights that count while that share of the fleet is promised."""
        return self.weights_full if fill >= self.turn_at else self.weights

    def __post_init__(self) -> None:
        problems = [
            Problem(f"filters.{index}", f"{name!r} is not a filter", "one of " + ", ".join(FILTERS))
            for index, name in enumerate(self.filters)
            if name not in FILTERS
        ]
        problems += [*_wrong_weights("weights", self.weights), *_wrong_weights("weights_full", self.weights_full)]
        if problems:
            raise InputError(problems)


def _wrong_weights(field_name: str, weights: Mapping[str, float]) -> Iterator[Problem]:
    for name, weight in weights.items():
        if name not in SCORERS:
            yield Problem(f"{field_name}.{name}", "not a scorer", "one of " + ", ".join(SCORERS))
        elif not weight > 0:
            yield Problem(f"{field_name}.{name}", f"{weight} is not a weight", "a number above 0")


# Least loaded: what is promised counts most, what is measured breaks the near ties.
_SPREADING: Final = {"free_cpu": 1.0, "free_memory": 1.0, "load": 0.5}
# Fewest slots lost decides; among hosts that lose as few, the fuller one.
_PACKING: Final = {"fragmentation": 1.0, "pack": 0.001}

# Least loaded while there is room. To go on spreading would leave a bit of room everywhere, and nowhere enough.
BALANCED: Final = Policy("balanced", weights=_SPREADING, turn_at=0.3, weights_full={**_PACKING, "load": 0.01})
SPREAD: Final = Policy("spread", weights=_SPREADING)
PACK: Final = Policy("pack", weights=_PACKING)

POLICIES: Final[dict[str, Policy]] = {policy.name: policy for policy in (BALANCED, SPREAD, PACK)}


def policy_named(name: str) -> Policy:
    """The shipped policy of that name.

    :raises InputError: naming those that exist.
    """
    try:
        return POLICIES[name]
    except KeyError:
        known = "one of " + ", ".join(sorted(POLICIES))
        raise InputError([Problem("policy", f"{name!r} is not a policy", known)]) from None
