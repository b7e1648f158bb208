"""Waiting on the event loop for what other threads, and other processes, write."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from minicloud.api import waiting
from minicloud.api.waiting import Relay, Watch
from minicloud.services.context import Hints

from tests.server.world import World


def follow(world: World, scenario: Callable[[Relay], Awaitable[float]], *, poll: float = 30) -> float:
    """Run a scenario with a relay; hints alone are quick, for it hardly polls."""

    async def run() -> float:
        relay = Relay(world.ctx, poll=poll)
        relay.start()
        with relay.watch() as watch:
            await watch.changed(10)  # the relay says once that it has begun
        try:
            return await scenario(relay)
        finally:
            relay.stop()

    return asyncio.run(run())


async def until(watch: Watch, timeout: float = 10) -> float:
    began = time.monotonic()
    await watch.changed(timeout)
    return time.monotonic() - began


def test_a_change_wakes_everybody_whom_it_concerns(world: World) -> None:
    world.fleet("node1")
    mine = world.create("web01").operation
    assert mine is not None

    async def scenario(relay: Relay) -> float:
        with relay.watch(mine.id) as first, relay.watch() as second, relay.watch("op-other") as other:
            claim = asyncio.to_thread(world.claim_one)
            waits = await asyncio.gather(until(first), until(second), until(other, 0.5), claim)
            assert waits[2] >= 0.5
            return max(waits[0], waits[1])

    assert follow(world, scenario) < 3


def test_what_happens_between_looking_and_waiting_is_not_missed(world: World) -> None:
    world.fleet("node1")

    async def scenario(relay: Relay) -> float:
        with relay.watch() as watch:
            watch.clear()
            await asyncio.to_thread(world.create, "web01")
            await asyncio.sleep(0.5)
            return await until(watch)

    assert follow(world, scenario) < 0.2


def test_another_processs_change_is_found_by_looking(world: World) -> None:
    world.fleet("node1")
    elsewhere = World.__new__(World)
    elsewhere.ctx, elsewhere.clock = replace(world.ctx, hints=Hints()), world.clock

    async def scenario(relay: Relay) -> float:
        with relay.watch() as watch:
            creation = asyncio.to_thread(elsewhere.create, "web01")
            return (await asyncio.gather(until(watch), creation))[0]

    assert follow(world, scenario, poll=0.2) < 3


def test_a_hundred_who_wait_cost_one_query_a_change(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1")
    asked: list[int] = []
    real = waiting.events.news

    def counting(*arguments: object, **named: object) -> object:
        asked.append(1)
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(waiting.events, "news", counting)

    async def scenario(relay: Relay) -> float:
        waiters = [asyncio.create_task(_wait(relay)) for _number in range(100)]
        await asyncio.sleep(0.1)
        await asyncio.to_thread(world.create, "web01")
        return max(await asyncio.gather(*waiters))

    assert follow(world, scenario) < 3
    assert len(asked) <= 4


async def _wait(relay: Relay) -> float:
    with relay.watch() as watch:
        return await until(watch)


def test_without_a_change_it_gives_up_when_the_time_is_over(world: World) -> None:
    async def scenario(relay: Relay) -> float:
        with relay.watch() as watch:
            return await until(watch, 0.3)

    assert 0.25 < follow(world, scenario) < 3


def test_stopping_lets_everybody_go(world: World) -> None:
    async def scenario(relay: Relay) -> float:
        with relay.watch("op-1") as watch:
            waiter = asyncio.create_task(until(watch))
            await asyncio.sleep(0.1)
            relay.stop()
            return await waiter

    assert follow(world, scenario) < 3


def test_a_database_that_fails_for_a_while_is_asked_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.fleet("node1")
    real, failures = waiting.events.news, [1, 1]

    def failing(*arguments: object, **named: object) -> object:
        if failures:
            failures.pop()
            raise OSError("gone for a moment")
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(waiting.events, "news", failing)

    async def scenario(relay: Relay) -> float:
        with relay.watch() as watch:
            creation = asyncio.to_thread(world.create, "web01")
            return (await asyncio.gather(until(watch), creation))[0]

    assert follow(world, scenario, poll=0.1) < 5
    assert not failures
