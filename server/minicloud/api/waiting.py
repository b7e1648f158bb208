"""Waiting without a thread: the rooms' hints, which are thread conditions, as wake-ups of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol


class Hints(Protocol):
    """What is needed of the services' hints."""

    def wait(self, topic: str, timeout: float) -> bool: ...


class Relay:
    """One thread waits for everybody.

    A hint may be lost and other processes' changes give none, so it also pulses every ``poll`` seconds.

    :param topic: the hint to wait for.
    :param poll: seconds.
    """

    def __init__(self, hints: Hints, topic: str, poll: float) -> None:
        self._hints = hints
        self._topic = topic
        self._poll = poll
        self._stopping = Event()
        self._pulse = asyncio.Event()
        self._thread: Thread | None = None

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin; to be called on the event loop."""
        loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._run, args=(loop.call_soon_threadsafe,), name="hint-relay", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let everybody who waits go; to be called on the event loop."""
        self._stopping.set()
        self._wake()

    async def changed(self, timeout: float) -> None:
        """Return at the next pulse, after ``timeout`` seconds, or at once when stopping."""
        if self.stopping:
            return
        try:
            await asyncio.wait_for(self._pulse.wait(), timeout)
        except TimeoutError:
            return

    def _run(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        while not self._stopping.is_set():
            self._hints.wait(self._topic, self._poll)
            try:
                call_soon(self._wake)
            except RuntimeError:  # the loop has been closed
                return

    def _wake(self) -> None:
        self._pulse.set()
        self._pulse = asyncio.Event()
