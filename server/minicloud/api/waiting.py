"""Waiting without a thread: the rooms' hints, which are thread conditions, as wake-ups of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event, Thread

from minicloud.services.context import Hints


class Relay:
    """One thread waits for everybody.

    A hint may be lost and other processes' changes give none, so it also pulses every ``poll`` seconds.

    :param topic: the hint to wait for.
    :param poll: seconds.
    """

    def __init__(self, hints: Hints, topic: str = "events", poll: float = 1.0) -> None:
        self._hints = hints
        self._topic = topic
        self._poll = poll
        self._stopping = Event()
        self._pulse = asyncio.Event()
        self._call_soon: Callable[[Callable[[], None]], object] | None = None

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin; to be called on the event loop."""
        self._stopping.clear()
        self._call_soon = asyncio.get_running_loop().call_soon_threadsafe
        Thread(target=self._run, args=(self._call_soon,), name="hint-relay", daemon=True).start()

    def stop(self) -> None:
        """Let everybody who waits go; from any thread."""
        self._stopping.set()
        if self._call_soon is not None:
            self._pulse_on(self._call_soon)

    def pulse(self) -> asyncio.Event:
        """Take it before looking and hand it to :meth:`wait` after, so that nothing between the two is missed."""
        return self._pulse

    async def wait(self, pulse: asyncio.Event, timeout: float) -> None:
        """Return when ``pulse`` has come, after ``timeout`` seconds, or at once when stopping."""
        if self.stopping or timeout <= 0:
            return
        try:
            await asyncio.wait_for(pulse.wait(), timeout)
        except TimeoutError:
            return

    def _run(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        while not self._stopping.is_set():
            mark = self._hints.mark(self._topic)
            if not self._pulse_on(call_soon):
                return
            self._hints.wait(self._topic, self._poll, since=mark)

    def _pulse_on(self, call_soon: Callable[[Callable[[], None]], object]) -> bool:
        try:
            call_soon(self._wake)
        except RuntimeError:  # the loop has been closed
            return False
        return True

    def _wake(self) -> None:
        self._pulse.set()
        self._pulse = asyncio.Event()
