# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which rules count, and how much."""

from __future__ import annotations

from collections.abc import Mapping
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
    :raises InputError: naming each rule that does not exist and each weight that is no weight.
    """

    name: str
    filters: tuple[str, ...] = tuple(FILTERS)
    weights: Mapping[str, float] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        problems = [
            Problem(f"filters.{index}", f"{name!r} is not a filter", "one of " + ", ".join(FILTERS))
            for index, name in enumerate(self.filters)
            if name not in FILTERS
        ]
        for name, weight in self.weights.items():
            if name not in SCORERS:
                problems.append(Problem(f"weights.{name}", "not a scorer", "one of " + ", ".join(SCORERS)))
            elif not weight > 0:
                problems.append(Problem(f"weights.{name}", f"{weight} is not a weight", "a number above 0"))
        if problems:
            raise InputError(problems)


# Least loaded: what is promised counts most, what is measured breaks the near ties.
BALANCED: Final = Policy("balanced", weights={"free_cpu": 1.0, "free_memory": 1.0, "load": 0.5})

POLICIES: Final[dict[str, Policy]] = {policy.name: policy for policy in (BALANCED,)}


def policy_named(name: str) -> Policy:
    """The shipped policy of that name.

    :raises InputError: naming those that exist.
    """
    try:
        return POLICIES[name]
    except KeyError:
        known = "one of " + ", ".join(sorted(POLICIES))
        raise InputError([Problem("policy", f"{name!r} is not a policy", known)]) from None
