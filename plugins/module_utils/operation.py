# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Following an operation that the service carries out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .api import ApiClient, ApiError, path_of
from .model.operation import ENDED


def await_operation(
    client: ApiClient, operation: str, seconds: float, *, clock: Callable[[], float] = time.monotonic
) -> dict[str, Any]:
    """Wait until an operation has succeeded.

    :param seconds: the longest wait. The operation goes on by itself after it.
    :param clock: seconds that only grow; for tests.
    :returns: the operation.
    :raises ApiError: when it ended otherwise, with its own error, or is still under way.
    """
    deadline, pause = clock() + seconds, 0.1
    while True:
        found = client.get(path_of("operations", operation)).body
        if found["state"] in ENDED:
            return _accept(found)
        left = deadline - clock()
        if left <= 0:
            raise _too_slow(found, seconds)
        client.sleep(min(pause, left))
        pause = min(2.0, pause * 1.5)


def _accept(operation: dict[str, Any]) -> dict[str, Any]:
    if operation["state"] == "succeeded":
        return operation
    error = operation.get("error") or {}
    raise ApiError(
        0,
        {
            "code": error.get("code") or f"minicloud.operation.{operation['state']}",
            "detail": f"operation {operation['id']} ({operation['kind']}) {operation['state']}: "
            + str(error.get("message") or "no reason was recorded"),
            "hint": error.get("hint") or f"minicloud op log {operation['id']}",
            "details": {"operation": operation},
        },
    )


def _too_slow(operation: dict[str, Any], seconds: float) -> ApiError:
    return ApiError(
        0,
        {
            "code": "minicloud.client.wait_timeout",
            "detail": f"operation {operation['id']} ({operation['kind']}) is still {operation['state']}"
            f" after {seconds:g} s; it goes on by itself",
            "hint": f"wait longer, or follow it with: minicloud op wait {operation['id']}",
            "details": {"operation": operation},
        },
    )
