# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A live migration: the states it may be in."""

from __future__ import annotations

from typing import Final

from .transition import TransitionTable

MIGRATION_TRANSITIONS: Final = TransitionTable(
    "Migration",
    {
        "planned": ("preparing", "aborted", "failed"),
        "preparing": ("transferring", "aborted", "failed"),
        "transferring": ("finishing", "aborted", "failed"),
        "finishing": ("completed", "failed"),
        "completed": (),
        "aborted": (),
        "failed": (),
    },
)
