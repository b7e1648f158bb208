# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a module that takes a list answers, and when it fails as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def answer(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A module's return values for a list of item results."""
    return {
        "changed": any(result["changed"] for result in results),
        "results": list(results),
        "diff": [
            {
                "before": result["before"],
                "after": result["after"],
                "before_header": result["id"],
                "after_header": result["id"],
            }
            for result in results
            if result["changed"] and result["before"] is not None and result["after"] is not None
        ],
    }


def failure_message(results: Sequence[Mapping[str, Any]]) -> str:
    """One sentence an item that failed, with what would be right; empty when all went well."""
    return "; ".join(_sentence(result) for result in results if result["failed"])


def _sentence(result: Mapping[str, Any]) -> str:
    error = result["error"]
    hint = f" ({error['hint']})" if error.get("hint") else ""
    return f"{result['id'] or 'item without a name'}: {error['message']}{hint}"
