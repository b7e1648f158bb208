"""Waiting on the event loop for what threads hint at."""

from __future__ import annotations

import asyncio
import time

from minicloud.api.waiting import Relay
from minicloud.services.context import Hints


def test_a_hint_wakes_everybody_who_waits() -> None:
    async def scenario() -> float:
        hints = Hints()
        relay = Relay(hints, poll=30)
        relay.start()
        await asyncio.sleep(0.05)
        began = time.monotonic()
        pulse = relay.pulse()
        waiters = [asyncio.create_task(relay.wait(pulse, 10)) for _number in range(5)]
        await asyncio.sleep(0.05)
        hints.wake("events")
        await asyncio.gather(*waiters)
        relay.stop()
        hints.wake("events")
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 2


def test_a_pulse_between_looking_and_waiting_is_not_missed() -> None:
    async def scenario() -> float:
        hints = Hints()
        relay = Relay(hints, poll=30)
        relay.start()
        await asyncio.sleep(0.05)
        pulse = relay.pulse()
        hints.wake("events")
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await relay.wait(pulse, 10)
        relay.stop()
        hints.wake("events")
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 2


def test_without_a_hint_it_polls() -> None:
    async def scenario() -> float:
        relay = Relay(Hints(), poll=0.1)
        relay.start()
        await asyncio.sleep(0.01)
        began = time.monotonic()
        await relay.wait(relay.pulse(), 10)
        relay.stop()
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 2


def test_it_gives_up_when_the_time_is_over() -> None:
    async def scenario() -> float:
        relay = Relay(Hints(), poll=30)
        began = time.monotonic()
        await relay.wait(relay.pulse(), 0.1)
        return time.monotonic() - began

    assert 0.05 < asyncio.run(scenario()) < 2


def test_stopping_lets_everybody_go_and_nobody_wait_again() -> None:
    async def scenario() -> float:
        hints = Hints()
        relay = Relay(hints, poll=30)
        relay.start()
        await asyncio.sleep(0.05)
        began = time.monotonic()
        waiter = asyncio.create_task(relay.wait(relay.pulse(), 10))
        await asyncio.sleep(0.05)
        relay.stop()
        await waiter
        await relay.wait(relay.pulse(), 10)
        hints.wake("events")
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 2
