"""One HTTP exchange with the service: authentication, retries, and errors made of what it refused with."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import httpx

from .errors import AnswerError, ApiError, UnreachableError

DEFAULT_URL: Final = "http://127.0.0.1:8080"
TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
# Tried again: the service is starting, stopping or overloaded, and said so before it did anything.
_BUSY: Final = frozenset({429, 503})
_LONGEST_PAUSE: Final = 5.0


class Transport:
    """A connection pool to one service under one token.

    :param url: where the service listens, without ``/v1``.
    :param token: the bearer token; empty for the calls that need none.
    :param tries: how often an exchange is tried in all when the connection breaks or the service is busy. A POST
        carries one Idempotency-Key over all of its tries, so that the service does it once.
    :param transport: what carries the bytes; for tests.
    :param sleep: how to pause between tries; for tests.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        token: str = "",
        *,
        tries: int = 4,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._tries = max(1, tries)
        self._sleep = sleep
        headers = {"Accept": "application/json", "User-Agent": "minicloud-client"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT, transport=transport)

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
    ) -> httpx.Response:
        """Exchange one request for its answer.

        :param path: from the root, ``/v1/vms``.
        :param params: query parameters; those that are ``None`` are left out.
        :param timeout: seconds to wait for the answer; the default suits everything that does not wait itself.
        :param idempotency_key: for a POST whose repetition by the caller is to be recognised; otherwise one is made.
        :raises ApiError: the service refused.
        :raises UnreachableError: nobody answered in any try.
        """
        sent = dict(headers or {})
        if method == "POST":
            sent["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
        request = self._http.build_request(
            method,
            path,
            json=body,
            params=_present(params),
            headers=sent,
            timeout=TIMEOUT if timeout is None else httpx.Timeout(timeout, connect=5.0),
        )
        return self._try(request)

    def _try(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(1, self._tries + 1):
            last = attempt == self._tries
            try:
                response = self._http.send(request)
            except httpx.TransportError as error:
                if last:
                    raise UnreachableError(self.url, describe(error)) from error
                self._sleep(_pause(attempt))
                continue
            if response.status_code in _BUSY and not last:
                self._sleep(_asked_pause(response) or _pause(attempt))
                continue
            return self._accept(response)
        raise AssertionError("the last try returns or raises")

    def json(self, method: str, path: str, **arguments: Any) -> Any:
        """Like :meth:`request`, for answers that are JSON objects."""
        return self._decode(self.request(method, path, **arguments))

    @contextmanager
    def stream(
        self, path: str, *, params: Mapping[str, Any] | None, headers: Mapping[str, str], silence: float
    ) -> Iterator[httpx.Response]:
        """Open an answer that goes on; ``silence`` is how many seconds may pass without a byte.

        :raises httpx.TransportError: the connection could not be made or broke; the caller knows where to resume.
        :raises ApiError: the service refused.
        """
        timeout = httpx.Timeout(silence, connect=5.0)
        with self._http.stream(
            "GET", path, params=_present(params), headers=dict(headers), timeout=timeout
        ) as response:
            if response.is_error:
                response.read()
            yield self._accept(response)

    def _accept(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        problem = self._decode(response)
        raise ApiError(response.status_code, problem)

    def _decode(self, response: httpx.Response) -> dict[str, Any]:
        try:
            body = response.json()
        except ValueError as error:
            start = response.text[:80].replace("\n", " ")
            raise AnswerError(self.url, f"HTTP {response.status_code}, {start!r}") from error
        if not isinstance(body, dict):
            raise AnswerError(self.url, f"HTTP {response.status_code}, JSON that is not an object")
        return body


def describe(error: httpx.TransportError) -> str:
    """The reason of a broken exchange in words; some of httpx's errors carry none."""
    return str(error) or type(error).__name__


def _present(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (params or {}).items() if value is not None}


def _pause(attempt: int) -> float:
    """Seconds before the next try: doubling, spread so that many callers do not come back at once."""
    return min(_LONGEST_PAUSE, 0.2 * 2.0 ** (attempt - 1)) * random.uniform(0.75, 1.25)


def _asked_pause(response: httpx.Response) -> float:
    """Seconds that the service asked for; 0 when it did not."""
    try:
        return min(_LONGEST_PAUSE, max(0.0, float(response.headers.get("Retry-After", "0"))))
    except ValueError:
        return 0.0
