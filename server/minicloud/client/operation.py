"""Operations over HTTP, and waiting for one to end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, TypedDict, cast
from urllib.parse import quote

from .errors import ApiError, UnreachableError, WaitTimeoutError
from .event import Events
from .page import walk
from .stream import ServerEvent
from .transport import Transport

ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})
_POLL: Final = 1.0
_STALLED: Final = 5.0


class Operation(TypedDict, total=False):
    """An operation on the wire: one change to one resource, from intent to end."""

    id: str
    kind: str
    state: str
    vm: str | None
    host: str | None
    destination: str | None
    after: list[str]
    project: str | None
    epoch: int | None
    arguments: dict[str, Any]
    reasons: list[dict[str, Any]]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    command: str
    tries: int
    lease_owner: str | None
    cancel_requested: bool
    run: str | None
    actor: str
    created_at: str
    started_at: str | None
    finished_at: str | None


class Operations:
    """``/v1/operations``."""

    def __init__(self, transport: Transport, events: Events) -> None:
        self._transport = transport
        self._events = events

    def list(
        self,
        *,
        vm: str | None = None,
        host: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        most: int | None = None,
    ) -> Iterator[Operation]:
        """Operations by filter, newest first."""
        params = {"vm": vm, "host": host, "state": state, "kind": kind}
        return cast(Iterator[Operation], walk(self._transport, "/v1/operations", params, most=most))

    def get(self, ref: str) -> Operation:
        return cast(Operation, self._transport.json("GET", _path(ref)))

    def cancel(self, ref: str) -> Operation:
        return cast(Operation, self._transport.json("POST", f"{_path(ref)}/cancel"))

    def events(self, ref: str) -> Iterator[dict[str, Any]]:
        """What happened in the operation so far, oldest first."""
        return walk(self._transport, f"{_path(ref)}/events")

    def log(self, ref: str) -> str:
        """What ansible-playbook printed."""
        return self._transport.request("GET", f"{_path(ref)}/log").text

    def wait(
        self,
        ref: str,
        *,
        timeout: float = 300.0,
        on_event: Callable[[ServerEvent], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Operation:
        """Wait until the operation ended, however it ended.

        Events only wake this; the operation is read again each time, so that none that is lost can be missed. Where
        the stream cannot be had, the operation is polled.

        :param timeout: seconds.
        :param on_event: told of every event of the operation, from its first.
        :raises WaitTimeoutError: it goes on by itself.
        """
        deadline = clock() + timeout
        operation: Operation = {"id": ref, "state": "queued"}
        for event in self._wakes(ref, deadline, clock, sleep):
            if event is not None and on_event is not None:
                on_event(event)
            try:
                operation = self.get(ref)
            except UnreachableError:
                if clock() >= deadline:
                    raise
                continue
            if operation["state"] in ENDED:
                return operation
        raise WaitTimeoutError(ref, timeout, operation["state"])

    def _wakes(
        self, ref: str, deadline: float, clock: Callable[[], float], sleep: Callable[[float], None]
    ) -> Iterator[ServerEvent | None]:
        """Reasons to look again, until the deadline: at once, on each event, and now and then without one."""
        yield None
        try:
            for event in self._events.follow(operation=ref, after="0", silence=_STALLED):
                yield event
                if clock() >= deadline:
                    return
        except (UnreachableError, ApiError):
            pass
        while clock() < deadline:
            sleep(min(_POLL, max(0.0, deadline - clock())))
            yield None


def _path(ref: str) -> str:
    return f"/v1/operations/{quote(ref, safe='')}"
