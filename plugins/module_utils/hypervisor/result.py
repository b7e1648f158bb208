# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a module says about one item of its list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..model.errors import MinicloudError


@dataclass
class ItemResult:
    """The outcome for one order.

    :param before: what was there, for people; None when it could not be found out.
    :param after: what is there now, or would be in check mode.
    :param extra: further keys of this verb, JSON-compatible.
    """

    id: str
    operation: str = ""
    changed: bool = False
    state: str = "unknown"
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    error: MinicloudError | None = None
    seconds: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> ItemResult:
        """An outcome to be filled in, for an order as it was given: even one that is too broken to read."""
        return cls(str(mapping.get("id") or mapping.get("name") or ""), str(mapping.get("operation") or ""))

    def to_mapping(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "operation": self.operation,
            "changed": self.changed,
            "failed": self.error is not None,
            "state": self.state,
            "before": None if self.before is None else dict(self.before),
            "after": None if self.after is None else dict(self.after),
            "error": None if self.error is None else _error_mapping(self.error),
            "seconds": round(self.seconds, 3),
            **self.extra,
        }


def _error_mapping(error: MinicloudError) -> dict[str, Any]:
    """The error; the first field that is wrong stands beside the message, all of them under ``errors``."""
    mapping = error.to_mapping()
    return {**mapping, "field": error.problems[0].field} if error.problems else mapping
