"""The event stream: in order, resumable, scoped, alive, and over when the service stops."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from minicloud.api import event

from .conftest import Cloud, fields, refused


@contextmanager
def following(
    cloud: Cloud, query: str = "", *, who: str = "admin", after: str | None = None
) -> Iterator[Iterator[str]]:
    """The lines of a stream that has begun."""
    headers = {"Authorization": f"Bearer {cloud.tokens[who]}"}
    if after is not None:
        headers["Last-Event-ID"] = after
    with cloud.http.stream("GET", f"/v1/events{query}", headers=headers, timeout=10) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        assert next(lines, "").startswith(":")
        yield lines


def take(lines: Iterator[str], number: int) -> list[dict[str, Any]]:
    """The next events, each checked for its form."""
    events: list[dict[str, Any]] = []
    told: dict[str, str] = {}
    for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _colon, value = line.partition(": ")
            told[name] = value
            continue
        if told:
            data = json.loads(told["data"])
            assert (told["id"], told["event"]) == (str(data["id"]), data["kind"])
            events.append(data)
            told = {}
        if len(events) == number:
            break
    return events


def test_what_happens_is_streamed_as_it_happens(cloud: Cloud) -> None:
    with following(cloud) as lines:
        began = time.monotonic()
        vm = cloud.create()
        events = take(lines, 2)
        assert time.monotonic() - began < 3
    assert {one["vm"] for one in events} == {vm["id"]}
    assert events[0]["id"] < events[1]["id"]
    assert all(one["at"] and one["project"] == "default" for one in events)


def test_a_stream_resumes_where_it_broke_off(cloud: Cloud) -> None:
    cloud.running()
    with following(cloud, after="0") as lines:
        everything = take(lines, 5)
    with following(cloud, after=str(everything[1]["id"])) as lines:
        rest = take(lines, 3)
    assert rest == everything[2:]
    assert [one["id"] for one in everything] == sorted(one["id"] for one in everything)


def test_a_stream_may_be_about_one_vm_or_operation(cloud: Cloud) -> None:
    first, second = cloud.create("web01"), cloud.create("web02")
    with following(cloud, "?vm=web02", after="0") as lines:
        assert {one["vm"] for one in take(lines, 1)} == {second["id"]}
    with following(cloud, f"?operation={first['operation']}", after="0") as lines:
        assert {one["operation"] for one in take(lines, 1)} == {first["operation"]}
    refused(cloud.call("GET", "/v1/events?vm=nope"), 404, "minicloud.resource.not_found")
    refused(cloud.call("GET", "/v1/events?operation=nope"), 404, "minicloud.resource.not_found")


def test_a_project_hears_nothing_of_another(cloud: Cloud) -> None:
    cloud.create("web01")
    with following(cloud, who="blue", after="0") as lines:
        mine = cloud.call("POST", "/v1/vms", {"name": "mine"}, who="blue").json()
        assert {one["vm"] for one in take(lines, 2)} == {mine["id"]}


def test_an_id_that_is_none_is_refused(cloud: Cloud) -> None:
    for after in ("x", "-1", "1" * 30):
        response = cloud.call("GET", "/v1/events", headers={"Last-Event-ID": after})
        assert fields(refused(response, 422, "minicloud.input.invalid")) == {"Last-Event-ID"}


def test_a_quiet_stream_shows_that_it_lives(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event, "HEARTBEAT", 0.5)
    with following(cloud) as lines:
        beats = [line for line in (next(lines) for _number in range(6)) if line]
    assert beats == [": still here"] * len(beats)
    assert len(beats) >= 2


def test_there_is_a_bound_to_open_streams(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud.room, "streams_max", 2)
    with following(cloud), following(cloud):
        response = cloud.call("GET", "/v1/events")
        refused(response, 503, "minicloud.service.unavailable")
        assert response.headers["retry-after"]
    end = time.monotonic() + 5
    while cloud.room.streams and time.monotonic() < end:
        time.sleep(0.05)
    with following(cloud):
        assert cloud.room.streams == 1


def test_streams_end_when_the_service_stops(cloud: Cloud) -> None:
    ended = threading.Event()

    def follow() -> None:
        with httpx.Client(base_url=cloud.http.base_url) as http, following(_with(cloud, http)) as lines:
            started.set()
            for _line in lines:
                pass
            ended.set()

    started = threading.Event()
    thread = threading.Thread(target=follow)
    thread.start()
    assert started.wait(5)
    cloud.room.relay.stop()
    assert ended.wait(5)
    thread.join(5)


def _with(cloud: Cloud, http: httpx.Client) -> Cloud:
    return Cloud(http, cloud.world, cloud.room, cloud.tape, cloud.tokens)
