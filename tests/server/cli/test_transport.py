"""One exchange: what is tried again, under which key, and what a refusal becomes."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from minicloud.client import AnswerError, ApiError, FieldError, UnreachableError
from minicloud.client.transport import Transport

URL = "http://service.test"


class Service:
    """Answers from a script, one entry an exchange; keeps what it was asked."""

    def __init__(self, *script: httpx.Response | Exception) -> None:
        self.script = list(script)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def transport(self, **options: object) -> Transport:
        return Transport(URL, "secret", transport=httpx.MockTransport(self), sleep=self.pauses.append, **options)  # type: ignore[arg-type]


def problem(status: int, **members: object) -> httpx.Response:
    return httpx.Response(status, json={"title": "no", "status": status, **members})


@pytest.mark.parametrize(
    "broken", [httpx.ConnectError("refused"), httpx.RemoteProtocolError("closed"), httpx.ReadTimeout("slow")]
)
def test_post_is_repeated_under_the_key_it_began_with(broken: Exception) -> None:
    service = Service(broken, httpx.Response(202, json={"id": "vm-101"}))
    assert service.transport().json("POST", "/v1/vms", body={"name": "web01"}) == {"id": "vm-101"}
    first, second = service.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.content == second.content == b'{"name":"web01"}'


def test_two_posts_have_two_keys_unless_the_caller_gives_one() -> None:
    service = Service(*(httpx.Response(200, json={}) for _number in range(3)))
    transport = service.transport()
    transport.json("POST", "/v1/vms")
    transport.json("POST", "/v1/vms")
    transport.json("POST", "/v1/vms", idempotency_key="mine")
    keys = [request.headers["Idempotency-Key"] for request in service.requests]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


def test_reading_carries_no_key_and_every_request_its_token() -> None:
    service = Service(httpx.Response(200, json={}))
    service.transport().json("GET", "/v1/vms", params={"name": "web01", "cursor": None})
    (request,) = service.requests
    assert "Idempotency-Key" not in request.headers
    assert request.headers["Authorization"] == "Bearer secret"
    assert str(request.url) == f"{URL}/v1/vms?name=web01"


def test_busy_service_is_asked_again_after_the_pause_that_it_wants() -> None:
    busy = httpx.Response(503, headers={"Retry-After": "3"}, json={"title": "starting"})
    service = Service(busy, httpx.Response(200, json={"ready": True}))
    assert service.transport().json("GET", "/v1/vms") == {"ready": True}
    assert service.pauses == [3.0]


def test_service_that_stays_busy_is_reported_as_it_says() -> None:
    service = Service(*(problem(503, code="minicloud.service.unavailable") for _number in range(2)))
    with pytest.raises(ApiError) as caught:
        service.transport(tries=2).json("GET", "/v1/vms")
    assert caught.value.code == "minicloud.service.unavailable"


def test_refusal_is_not_repeated_and_names_the_fields() -> None:
    service = Service(
        problem(
            422,
            code="minicloud.input.invalid",
            detail="cpu: -1 is not a number of virtual CPUs",
            errors=[{"field": "cpu", "message": "-1 is not a number", "allowed": "from 1 to 512"}],
            request_id="req-1",
            details={"limit": 512},
        )
    )
    with pytest.raises(ApiError) as caught:
        service.transport().json("POST", "/v1/vms", body={"name": "a", "cpu": -1})
    assert len(service.requests) == 1
    assert caught.value.status == 422
    assert caught.value.errors == (FieldError("cpu", "-1 is not a number", "from 1 to 512"),)
    assert caught.value.request_id == "req-1"
    assert caught.value.details == {"limit": 512}


def test_nobody_there() -> None:
    service = Service(*(httpx.ConnectError("refused") for _number in range(3)))
    with pytest.raises(UnreachableError, match="refused") as caught:
        service.transport(tries=3).json("GET", "/v1/vms")
    assert len(service.requests) == 3
    assert service.pauses == sorted(service.pauses) and service.pauses[0] > 0
    assert URL in caught.value.message
    assert "MINICLOUD_URL" in caught.value.hint


@pytest.mark.parametrize(
    "make",
    [
        lambda: httpx.Response(200, text="<html>a proxy</html>"),
        lambda: httpx.Response(404, text="not here"),
        lambda: httpx.Response(200, json=["a", "list"]),
    ],
)
def test_something_else_answers(make: Callable[[], httpx.Response]) -> None:
    with pytest.raises(AnswerError, match=URL):
        Service(make()).transport().json("GET", "/v1/vms")
