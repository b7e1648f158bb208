"""Waiting without a thread: one reader of events for everybody who waits on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from threading import Event, Thread

import structlog

from minicloud.services import event as events
from minicloud.services.context import Context

log = structlog.get_logger("minicloud.api")

_BATCH = 500
# A hint may be lost, and other processes' changes give none: events are looked for this often, in seconds.
_POLL = 1.0


class Watch:
    """Somebody who waits for events: all of them, or one operation's."""

    def __init__(self, operation: str | None) -> None:
        self.operation = operation
        self._changed = asyncio.Event()

    def clear(self) -> None:
        """Forget what happened so far. Called before looking, it leaves no gap between looking and waiting."""
        self._changed.clear()

    async def changed(self, timeout: float) -> None:
        """Return when something happened since :meth:`clear`, or after ``timeout`` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), max(0.0, timeout))
        except TimeoutError:
            return

    def concerns(self, operations: Set[str | None]) -> bool:
        """Whether it waits for one of these; events of no operation are of None."""
        return self.operation is None or self.operation in operations

    def wake(self) -> None:
        self._changed.set()


class Relay:
    """Reads events as they come, in a thread of its own, and wakes those whom they concern.

    So a hundred who wait cost one query for each change, not a hundred.
    """

    def __init__(self, context: Context, *, poll: float = _POLL) -> None:
        self._context = context
        self._poll = poll
        self._stopping = Event()
        self._watches: set[Watch] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin; to be called on the event loop."""
        self._stopping.clear()
        self._loop = asyncio.get_running_loop()
        Thread(target=self._read_forever, name="event-relay", daemon=True).start()

    def stop(self) -> None:
        """Let everybody who waits go; from any thread."""
        self._stopping.set()
        self._context.hints.wake("events")
        self._on_loop(self._wake_all)

    @contextmanager
    def watch(self, operation: str | None = None) -> Iterator[Watch]:
        """Begin to watch; to be used on the event loop.

        :param operation: the id of the only operation that matters; None for whatever happens.
        """
        watch = Watch(operation)
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def _read_forever(self) -> None:
        last: int | None = None
        while not self.stopping:
            mark = self._context.hints.mark("events")
            try:
                last, full = self._read(last)
            except Exception:
                if not self.stopping:
                    log.exception("events cannot be read")
                self._stopping.wait(self._poll)
                continue
            if not full:
                self._context.hints.wait("events", self._poll, since=mark)

    def _read(self, last: int | None) -> tuple[int, bool]:
        """Tell of the events after number ``last``.

        :returns: the number of the newest, and whether there may be more.
        """
        if last is None:
            newest = events.latest(self._context)
            self._on_loop(self._wake_all)  # of what happened before we began, nobody was told
            return newest, False
        batch = events.news(self._context, last, limit=_BATCH)
        if batch:
            concerned = {operation for _number, operation in batch}
            self._on_loop(lambda: self._tell(concerned))
        return (batch[-1][0] if batch else last), len(batch) == _BATCH

    def _on_loop(self, function: Callable[[], None]) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # it has been closed: nobody waits any more
            self._stopping.set()

    def _tell(self, operations: Set[str | None]) -> None:
        for watch in self._watches:
            if watch.concerns(operations):
                watch.wake()

    def _wake_all(self) -> None:
        for watch in self._watches:
            watch.wake()
