# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What has to be done so that a domain becomes what an order asks for. Pure: it decides, and does nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .definition import Definition
from .drift import differences

# From what a domain does to what it is to do. "cut" takes the power away, "stop" asks the guest first.
_POWER: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "running": {
        "stopped": ("start",),
        "paused": ("resume",),
        "crashed": ("cut", "start"),
        "suspended": ("wake",),
    },
    "paused": {
        "stopped": ("start_paused",),
        "running": ("pause",),
        "crashed": ("cut", "start_paused"),
        "suspended": ("wake", "pause"),
    },
    "stopped": {
        "running": ("stop",),
        # A guest that does not run cannot answer the power button.
        "paused": ("cut",),
        "crashed": ("cut",),
        "suspended": ("cut",),
    },
}


@dataclass(frozen=True)
class Plan:
    """Steps in the order in which they are taken: definition, epoch, power.

    :param definition: ``keep``, ``create``, ``change`` or ``remove``.
    :param differences: for ``change``, what differs: (what it is, what it is to be).
    :param epoch: whether the domain's epoch has to be raised. Not a change anyone would call one.
    :param power: names of steps of :class:`.power.Power`.
    """

    definition: str = "keep"
    differences: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    epoch: bool = False
    power: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        return self.definition != "keep" or bool(self.power)


def plan(wanted: Definition, existing: Definition | None, state: str, target: str, action: str | None) -> Plan:
    """Decide what has to be done.

    :param existing: None when the host has no such domain.
    :param state: what the domain does now; ``absent`` when there is none.
    :param target: the order's state.
    :param action: ``reboot`` or ``reset`` on top of ``running``.
    """
    if target == "absent":
        return Plan(definition="remove" if existing is not None else "keep")
    if existing is None:
        return Plan(definition="create", power=power_steps("stopped", target, None))
    changes = differences(existing, wanted)
    return Plan(
        definition="change" if changes else "keep",
        differences=changes,
        epoch=wanted.metadata.epoch > existing.metadata.epoch,
        power=power_steps(state, target, action),
    )


def power_steps(state: str, target: str, action: str | None) -> tuple[str, ...]:
    """Steps from what a domain does to what it is to do. A guest that has to be started needs no reboot."""
    steps = _POWER.get(target, {}).get(state, ())
    if action is not None and target == "running" and "start" not in steps:
        return (*steps, action)
    return steps
