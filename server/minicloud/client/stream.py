"""Server-sent events: the text format, and a reader that survives broken connections."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from .errors import UnreachableError
from .transport import Transport, describe


@dataclass(frozen=True)
class ServerEvent:
    """One event. ``id`` resumes the stream after it; ``kind`` is the event's name; ``data`` its JSON object."""

    id: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


def parse_events(lines: Iterable[str]) -> Iterator[ServerEvent | None]:
    """Read events from the lines of a ``text/event-stream``.

    :returns: events as they complete; ``None`` for a comment, which is how a server says that it is still there.
    """
    identifier, kind, data = "", "message", list[str]()
    for line in lines:
        if line.startswith(":"):
            yield None
            continue
        if not line:
            if data:
                yield ServerEvent(identifier, kind, _object("\n".join(data)))
            kind, data = "message", []
            continue
        name, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            identifier = value


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {"text": text}
    return value if isinstance(value, dict) else {"value": value}


def follow(
    transport: Transport,
    path: str,
    *,
    params: Mapping[str, Any] | None = None,
    after: str | None = None,
    silence: float = 20.0,
    broken: int = 5,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[ServerEvent | None]:
    """Follow a stream for ever, resuming after the last event seen whenever the connection breaks.

    :param after: the id to resume after; ``None`` starts with what happens from now on.
    :param silence: seconds without a byte after which the connection is made anew.
    :param broken: how many connections in a row may bring nothing before this gives up.
    :returns: events; ``None`` each time a connection stands and whenever the server shows that it is still there, so
        that the caller can look at the clock, and at what changed before the stream began.
    :raises UnreachableError: after ``broken`` connections that failed.
    :raises ApiError: the service refused.
    """
    failures = 0
    while True:
        reason = "the service ended the stream"
        headers = {"Accept": "text/event-stream"}
        if after is not None:
            headers["Last-Event-ID"] = after
        try:
            with transport.stream(path, params=params, headers=headers, silence=silence) as response:
                yield None
                for event in parse_events(response.iter_lines()):
                    failures = 0
                    if event is not None and event.id:
                        after = event.id
                    yield event
        except httpx.ReadTimeout:
            continue
        except httpx.TransportError as error:
            reason = describe(error)
        failures += 1
        if failures >= broken:
            raise UnreachableError(transport.url, reason)
        sleep(min(2.0, 0.25 * 2.0**failures))
