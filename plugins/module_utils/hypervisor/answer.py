# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a module that takes a list answers, and when it fails as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class ListModule(Protocol):
    """What is needed of an ``AnsibleModule`` that takes a list and ``fail_on_item``."""

    params: dict[str, Any]

    def fail_json(self, msg: str, **values: Any) -> Any:
        """End the module as failed."""

    def exit_json(self, **values: Any) -> Any:
        """End the module as done."""


def end(module: ListModule, results: Sequence[Mapping[str, Any]], *, alone: str = "") -> None:
    """End a module with what became of its items.

    :param alone: the name under which the only item is answered as well; empty when a list was given.
    """
    values = answer(results)
    if alone:
        values[alone] = results[0]
    message = failure_message(results)
    if message and module.params["fail_on_item"]:
        module.fail_json(msg=message, **values)
    module.exit_json(**values)


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
