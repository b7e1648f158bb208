"""Server-sent events: the format, and resuming where a connection broke."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import httpx
import pytest
from minicloud.client import ApiError, ServerEvent, UnreachableError
from minicloud.client.stream import follow, parse_events
from minicloud.client.transport import Transport


def test_events_are_read_as_the_format_says() -> None:
    text = """\
: welcome

id: 7
event: vm.status
data: {"vm": "vm-101",
data:  "data": {"to": "running"}}

data:no space, no JSON

event: nothing.follows.it

id: 8
data: [1]

data: cut off before its empty line"""
    assert list(parse_events(text.splitlines())) == [
        None,
        ServerEvent("7", "vm.status", {"vm": "vm-101", "data": {"to": "running"}}),
        ServerEvent("7", "message", {"text": "no space, no JSON"}),
        ServerEvent("8", "message", {"value": [1]}),
    ]


class Breaking(httpx.SyncByteStream):
    """Bytes, then an error instead of an end."""

    def __init__(self, text: str, error: Exception | None = None) -> None:
        self.text = text
        self.error = error

    def __iter__(self) -> Iterator[bytes]:
        yield self.text.encode()
        if self.error is not None:
            raise self.error


def stream(*answers: httpx.Response | Exception) -> tuple[Transport, list[httpx.Request]]:
    asked: list[httpx.Request] = []
    script = list(answers)

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Transport("http://service.test", transport=httpx.MockTransport(handle)), asked


def answer(text: str, error: Exception | None = None) -> httpx.Response:
    return httpx.Response(200, stream=Breaking(text, error))


@pytest.mark.parametrize(
    "error", [httpx.ReadError("reset"), httpx.ReadTimeout("silence"), httpx.RemoteProtocolError("cut"), None]
)
def test_stream_resumes_after_the_last_event_seen(error: Exception | None) -> None:
    transport, asked = stream(answer("id: 4\ndata: {}\n\nid: 5\ndata: {}\n\n", error), answer("id: 6\ndata: {}\n\n"))
    seen = [item.id for item in islice(follow(transport, "/v1/events", sleep=lambda _s: None), 5) if item]
    assert seen == ["4", "5", "6"]
    assert "Last-Event-ID" not in asked[0].headers
    assert asked[1].headers["Last-Event-ID"] == "5"


def test_each_connection_is_announced_so_that_the_caller_looks_again() -> None:
    transport, _asked = stream(answer("", httpx.ReadTimeout("silence")), answer(": still here\n"))
    assert list(islice(follow(transport, "/v1/events", sleep=lambda _s: None), 3)) == [None, None, None]


def test_connections_that_bring_nothing_end_it() -> None:
    transport, asked = stream(*(httpx.ConnectError("refused") for _number in range(3)))
    with pytest.raises(UnreachableError, match="refused"):
        list(follow(transport, "/v1/events", broken=3, sleep=lambda _s: None))
    assert len(asked) == 3


def test_refusal_ends_it_at_once() -> None:
    transport, asked = stream(httpx.Response(401, json={"code": "minicloud.auth.unauthenticated", "detail": "no"}))
    with pytest.raises(ApiError, match="no"):
        list(follow(transport, "/v1/events"))
    assert len(asked) == 1
