# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Why something was decided, with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    """One link in a chain of reasons.

    :param rule: the rule that spoke: ``memory``, ``host.down``.
    :param message: one sentence for people.
    :param numbers: the figures behind it, JSON-compatible.
    """

    rule: str
    message: str
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        return {"rule": self.rule, "message": self.message, "numbers": dict(self.numbers)}
