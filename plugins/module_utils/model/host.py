# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host: the states it may be in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from .transition import TransitionTable

# Failures that are remembered: so many, and for two days, in seconds.
FAILURES_MAX: Final = 16
FAILURES_KEPT: Final = 2 * 86400.0

HOST_TRANSITIONS: Final = TransitionTable(
    "Host",
    {
        # Registered, not seen by the observer yet: nothing is placed there.
        "registering": ("ready", "suspect", "maintenance"),
        "ready": ("suspect", "maintenance"),
        # Silent on one path; wait for the second before anything happens.
        "suspect": ("ready", "fencing", "maintenance"),
        "fencing": ("down", "suspect", "ready"),
        # Power is proven off. It must be seen again before it may carry anything.
        "down": ("registering", "ready", "maintenance"),
        "maintenance": ("registering", "ready", "suspect"),
    },
)

# Where new VMs may go, and where an operation may be carried out.
PLACEABLE: Final = frozenset({"ready"})
REACHABLE: Final = frozenset({"ready", "maintenance"})


def network_use(mbps: float | None, bandwidth_mbps: int | None) -> float | None:
    """The share of a host's network that is in use, 0 to 1; None where either is not known.

    :param mbps: what was measured, in Mbit/s; ``bandwidth_mbps`` what it carries.
    """
    return None if mbps is None or not bandwidth_mbps else min(1.0, mbps / bandwidth_mbps)


def failures_after(known: Iterable[float], state: str, at: float) -> list[float]:
    """When a host failed lately, after it came into a state.

    Silence is the failure; what follows from it, a fence or the return, is the same one.

    :param known: when it failed before, in Unix seconds, the oldest first.
    :param at: now, likewise.
    """
    lately = [moment for moment in known if at - moment < FAILURES_KEPT]
    return [*lately, at][-FAILURES_MAX:] if state == "suspect" else lately
