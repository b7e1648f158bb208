# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""libvirt's domain states in minicloud's words."""

from __future__ import annotations

from typing import Any, Final

# virDomainState, which is part of libvirt's ABI. A blocked guest waits for I/O and a guest in shutdown has not ended:
# both still run.
_STATES: Final = {1: "running", 2: "running", 3: "paused", 4: "running", 5: "stopped", 6: "crashed", 7: "suspended"}

# virDomainPausedReason, as far as it tells people something.
_PAUSE_REASONS: Final = {
    1: "paused by request",
    2: "migrating",
    3: "saving",
    4: "dumping core",
    5: "an I/O error",
    6: "a watchdog fired",
    8: "shutting down",
    10: "the guest crashed",
    11: "starting",
    12: "a failed post-copy migration",
}


def state_name(number: int) -> str:
    """``running``, ``paused``, ``stopped``, ``crashed``, ``suspended`` (the guest sleeps), or ``unknown``."""
    return _STATES.get(number, "unknown")


def pause_reason(number: int) -> str:
    return _PAUSE_REASONS.get(number, "")


def read_state(domain: Any) -> tuple[str, str]:
    """State of a domain and, when it is paused, why."""
    state, reason = domain.state()
    name = state_name(state)
    return name, pause_reason(reason) if name == "paused" else ""
