# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host: the states it may be in."""

from __future__ import annotations

from typing import Final

from .transition import TransitionTable

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
