"""Holding an answer until an operation has ended, without holding a thread or a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from minicloud_core.model.errors import MinicloudError
from minicloud_core.model.operation import ENDED
from starlette.concurrency import run_in_threadpool

from minicloud.services import operation as operations
from minicloud.services.view.operation import OperationView

from .call import Change
from .problem import STATUS

_POLL = 1.0


class OperationError(MinicloudError):
    """The operation that was waited for did not succeed; code and message are its own."""

    title = "The operation did not succeed"

    def __init__(self, operation: OperationView) -> None:
        error: Mapping[str, Any] = operation.error or {}
        super().__init__(
            str(error.get("message") or f"operation {operation.id} ended {operation.state}"),
            hint=str(error.get("hint") or ""),
            details={**(error.get("details") or {}), "operation": operation.id, "vm": operation.vm},
        )
        self.code = str(error.get("code") or f"minicloud.operation.{operation.state}")
        self.status = 409 if operation.state == "cancelled" else _status_of_code(self.code)


async def settle(change: Change, operation: OperationView | None) -> bool:
    """Wait as long as the caller prefers to.

    :returns: whether the operation has ended well; False when time ran out, or the service stops.
    :raises OperationError: it ended otherwise.
    """
    if operation is None:
        return True
    relay, loop = change.room.relay, asyncio.get_running_loop()
    deadline = loop.time() + change.wait
    while True:
        pulse = relay.pulse()
        now = await run_in_threadpool(operations.get, change.context, change.actor, operation.id)
        if now.state in ENDED:
            break
        left = deadline - loop.time()
        if left <= 0 or relay.stopping:
            return False
        await relay.wait(pulse, min(left, _POLL))
    if now.state != "succeeded":
        raise OperationError(now)
    return True


def _status_of_code(code: str) -> int:
    """The status of the error class that owns a code; what only hosts report counts as their failure."""
    return next((status for kind, status in STATUS.items() if kind.code == code), 502)
