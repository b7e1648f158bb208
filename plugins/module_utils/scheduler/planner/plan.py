# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a planner answers: moves in their order, and what stays where it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...model.reason import Reason
from ..decision import Refusal


@dataclass(frozen=True)
class Move:
    """A VM that goes from one host to another. What it takes there is free before it is given up here."""

    vm: str
    source: str
    target: str

    def to_mapping(self) -> dict[str, Any]:
        return {"vm": self.vm, "from": self.source, "to": self.target}


@dataclass(frozen=True)
class Stay:
    """A VM that would have to move and does not.

    :param reason: why, where it is not for want of a host.
    :param refused: else the hosts that will not do, each with its reasons.
    """

    vm: str
    host: str
    reason: Reason | None = None
    refused: tuple[Refusal, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        own = [] if self.reason is None else [{"host": self.host, "reasons": [self.reason.to_mapping()]}]
        return {"vm": self.vm, "host": self.host, "reasons": [*own, *(one.to_mapping() for one in self.refused)]}


@dataclass(frozen=True)
class Plan:
    """Moves to be made one after the other: after each of them every hard rule of the policy holds for the VM moved.

    :param stays: VMs that would have to move and cannot.
    :param before: the figures that the plan is about; ``after`` what they are once all moves are made.
    """

    moves: tuple[Move, ...]
    stays: tuple[Stay, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """The plan as JSON; see docs/schemas/plan.schema.json."""
        return {
            "moves": [move.to_mapping() for move in self.moves],
            "stay": [stay.to_mapping() for stay in self.stays],
            "before": dict(self.before),
            "after": dict(self.after),
        }
