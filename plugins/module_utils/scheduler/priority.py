# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whose place a VM may take, by a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from .request import Request

# How many VMs leave for one where a policy does not say.
AT_MOST: Final = 4
# More would be a search without end, and a disaster with a name.
AT_MOST_MAX: Final = 64
# Priorities lie between this and its opposite.
PRIORITY_MAX: Final = 1_000_000


@dataclass(frozen=True)
class Precedence:
    """A policy's figures for preemption.

    :param from_priority: requests of this priority or more may take the place of others.
    :param victims_below: VMs of this priority or more never have to leave, whoever asks. Not above ``from_priority``,
        so that nobody who may take a place has to leave for another.
    :param at_most: how many VMs leave for one request, at most.
    :raises ValueError: when a figure is impossible.
    """

    from_priority: int
    victims_below: int
    at_most: int = AT_MOST

    def __post_init__(self) -> None:
        if self.victims_below > self.from_priority:
            raise ValueError(
                f"victims_below {self.victims_below} is above from {self.from_priority}:"
                " VMs that take a place would have to leave for one another"
            )
        if not 1 <= self.at_most <= AT_MOST_MAX:
            raise ValueError(f"at_most {self.at_most} is not between 1 and {AT_MOST_MAX}")

    def to_mapping(self) -> dict[str, Any]:
        """As a policy file would say it."""
        return {"from": self.from_priority, "victims_below": self.victims_below, "at_most": self.at_most}

    def applies(self, request: Request) -> bool:
        """Whether a request may take the place of others."""
        return request.priority >= self.from_priority

    def may_leave(self, vm: Request, request: Request) -> bool:
        """Whether a VM may have to leave for a request."""
        return self.applies(request) and vm.priority < self.victims_below
