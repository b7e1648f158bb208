"""Waiting for an operation in front of a person: one line that lives, and one for each step behind it."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.status import Status
from rich.text import Text

from minicloud.client import OperationFailedError, ServerEvent
from minicloud.client.operation import Operation

from .render import plain
from .session import Session


def wait_for(session: Session, operation: str, what: str, *, timeout: float) -> Operation:
    """Wait until the operation has succeeded, showing its events on standard error.

    :param what: what is under way, for people: ``create web01``.
    :raises OperationFailedError: it ended otherwise.
    :raises WaitTimeoutError: it goes on by itself.
    """
    started = time.monotonic()
    with _live(session, what) as status:

        def tell(event: ServerEvent) -> None:
            line = describe(event)
            session.err.print(Text(f"{time.monotonic() - started:6.1f} s  {line}", style="dim"))
            if status is not None:
                status.update(Text(f"{what}: {line}"))

        ended = session.client.operations.wait(operation, timeout=timeout, on_event=tell)
    if ended["state"] != "succeeded":
        raise OperationFailedError(ended)
    return ended


def describe(event: ServerEvent) -> str:
    """An event in one line."""
    change: dict[str, Any] = dict(event.data.get("data") or {})
    words = [event.kind.rpartition(".")[2]]
    words += [plain(change.pop("to"))] if "to" in change else []
    for known in ("from", "kind"):
        change.pop(known, None)
    words += [f"{key}={plain(value)}" for key, value in change.items()]
    reason = plain(event.data.get("reason"))
    return " ".join(words) + (f": {reason}" if reason else "")


def _live(session: Session, what: str) -> AbstractContextManager[Status | None]:
    if not session.err.is_terminal:
        return nullcontext()
    return Status(Text(what), console=session.err)
