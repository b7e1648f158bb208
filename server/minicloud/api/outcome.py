"""Holding an answer until an operation has ended, without holding a thread or a transaction."""

from __future__ import annotations

import asyncio

from minicloud_core.model.operation import ENDED
from starlette.concurrency import run_in_threadpool

from minicloud.services import operation as operations
from minicloud.services.view.operation import OperationView

from .call import Change
from .problem import OperationError

# Should the relay have died, one still looks.
_GLANCE = 5.0


async def settle(change: Change, operation: OperationView | None) -> bool:
    """Wait as long as the caller prefers to.

    :returns: whether the operation has ended well; False when time ran out, or the service stops.
    :raises OperationError: it ended otherwise.
    """
    if operation is None:
        return True
    relay, loop = change.room.relay, asyncio.get_running_loop()
    deadline = loop.time() + change.wait
    with relay.watch(operation.id) as watch:
        while True:
            watch.clear()
            now = await run_in_threadpool(operations.get, change.context, change.actor, operation.id)
            if now.state in ENDED:
                break
            left = deadline - loop.time()
            if left <= 0 or relay.stopping:
                return False
            await watch.changed(min(left, _GLANCE))
    if now.state != "succeeded":
        raise OperationError(now)
    return True
