"""Open-loop load: requests leave by the clock, whether or not the ones before were answered."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Request:
    """One request to send."""

    method: str
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Sample:
    """One request's fate. ``seconds`` from the moment at which it was due, so that a stall counts for all behind it."""

    seconds: float
    status: int


async def _send(client: httpx.AsyncClient, request: Request, due: float) -> Sample:
    try:
        answer = await client.request(request.method, request.path, json=request.body)
    except httpx.TransportError:
        return Sample(time.perf_counter() - due, 0)
    return Sample(time.perf_counter() - due, answer.status_code)


async def _run(url: str, token: str, make: Callable[[int], Request], rate: float, count: int) -> list[Sample]:
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, limits=limits) as client:
        await client.get("/healthz")
        started = time.perf_counter()
        tasks = []
        for number in range(count):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(_send(client, make(number), due)))
        return await asyncio.gather(*tasks)


def run(url: str, token: str, make: Callable[[int], Request], *, rate: float, seconds: float) -> list[Sample]:
    """Send ``rate`` requests a second for so many seconds.

    :param make: the request of a number, counting from 0.
    """
    # A full garbage collection would hold up this process, and count as the service's time.
    gc.collect()
    gc.disable()
    try:
        return asyncio.run(_run(url, token, make, rate, int(rate * seconds)))
    finally:
        gc.enable()
