# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that the VM's networks reach. One of whose networks nothing is known is not refused for them."""

from __future__ import annotations

from ..names_filter import names_filter


def words(missing: str, count: int, of: int) -> str:
    return f"{missing} {'does' if count == 1 else 'do'} not reach it, {count} of {of} networks wanted"


FILTER = names_filter(
    "networks",
    lambda request: request.networks,
    lambda host: host.networks,
    lambda features: features.networks,
    words,
)
