"""Whether the process is alive, and whether it is fit for work."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from .call import answer, room_of
from .output import Health


async def alive(request: Request) -> Response:
    """Say that the process answers."""
    return answer(Health(status="alive", checks={}))


def ready(request: Request) -> Response:
    """Say whether the database answers and every part of the service runs; 503 where one does not."""
    found = {name: probe() for name, probe in room_of(request).probes.items()}
    checks = {name: trouble for name, trouble in found.items() if trouble is not None}
    return answer(Health(status="not ready" if checks else "ready", checks=checks), 503 if checks else 200)
