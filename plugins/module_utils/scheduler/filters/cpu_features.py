# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only processors that can do all that was asked for."""

from __future__ import annotations

from ..names_filter import names_filter


def words(missing: str, count: int, of: int) -> str:
    return f"its processors lack {missing}, {count} of {of} wanted"


FILTER = names_filter(
    "cpu_features",
    lambda request: request.cpu_features,
    lambda host: host.cpu_features,
    lambda features: features.cpu_features,
    words,
)
