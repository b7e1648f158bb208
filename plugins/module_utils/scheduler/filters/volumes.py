# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that can attach all of the VM's volumes."""

from __future__ import annotations

from ..names_filter import names_filter


def words(missing: str, count: int, of: int) -> str:
    return f"it cannot attach {missing}, {count} of {of} volumes"


FILTER = names_filter(
    "volumes",
    lambda request: request.volumes,
    lambda host: host.reachable_volumes,
    lambda features: features.reachable_volumes,
    words,
)
