"""Waiting for an operation: events only wake, the operation itself is what counts."""

from __future__ import annotations

import json

import httpx
import pytest
from minicloud.client import Client, ServerEvent, WaitTimeoutError


class Clock:
    """Time that passes by pausing alone."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def service(states: list[str], *, stream: httpx.Response) -> Client:
    """One whose operation goes through ``states``, one a reading, and stays in the last."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/events":
            assert request.url.params["operation"] == "op-1"
            return stream
        state = states.pop(0) if len(states) > 1 else states[0]
        return httpx.Response(200, json={"id": "op-1", "kind": "vm.create", "state": state})

    return Client("http://service.test", "t", transport=httpx.MockTransport(handle))


def events(*states: str) -> httpx.Response:
    lines = (
        f"id: {number}\nevent: operation.state\ndata: {json.dumps({'data': {'to': state}})}\n\n"
        for number, state in enumerate(states, start=1)
    )
    return httpx.Response(200, text="".join(lines))


def test_an_operation_that_has_ended_needs_no_stream() -> None:
    client = service(["failed"], stream=httpx.Response(500, json={}))
    assert client.operations.wait("op-1")["state"] == "failed"


def test_events_wake_and_are_told() -> None:
    told: list[ServerEvent] = []
    client = service(["queued", "queued", "running", "succeeded"], stream=events("running", "succeeded"))
    assert client.operations.wait("op-1", on_event=told.append)["state"] == "succeeded"
    assert [event.data["data"]["to"] for event in told] == ["running", "succeeded"]


def test_end_before_the_stream_stands_is_not_missed() -> None:
    client = service(["running", "succeeded"], stream=events())
    assert client.operations.wait("op-1")["state"] == "succeeded"


def test_without_a_stream_it_polls() -> None:
    clock = Clock()
    refused = httpx.Response(503, json={"code": "minicloud.service.unavailable", "detail": "too many streams"})
    client = service(["running", "running", "running", "succeeded"], stream=refused)
    assert client.operations.wait("op-1", clock=clock, sleep=clock.sleep)["state"] == "succeeded"
    assert clock.now > 0


def test_patience_ends() -> None:
    clock = Clock()
    refused = httpx.Response(404, json={"code": "minicloud.http.no_such_route", "detail": "none"})
    client = service(["running"], stream=refused)
    with pytest.raises(WaitTimeoutError, match="still running after 10 s") as caught:
        client.operations.wait("op-1", timeout=10, clock=clock, sleep=clock.sleep)
    assert caught.value.operation == "op-1"
    assert clock.now == pytest.approx(10)
