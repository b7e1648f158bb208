# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The service as modules and the inventory see it: HTTP with a token, and errors that say what would be right."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.urls import open_url

from .model.errors import MinicloudError, Problem

DEFAULT_URL: Final = "http://127.0.0.1:8080"
TRIES: Final = 4
# The service says 429 and 503 before it has done anything.
_BUSY: Final = frozenset({429, 503})
_LONGEST_PAUSE: Final = 5.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

API_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "url": {"type": "str", "default": DEFAULT_URL, "fallback": (env_fallback, ["MINICLOUD_URL"])},
    "token": {"type": "str", "no_log": True},
    # The file's name is no secret.
    "token_file": {"type": "path", "no_log": False},
    "timeout": {"type": "float", "default": 30.0},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
}


class ApiError(MinicloudError):
    """The service refused. Carries what its problem document says.

    :param status: the HTTP status; 0 where nobody answered.
    :param problem: the document; any field of it may be missing.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"HTTP status {status}"),
            hint=str(problem.get("hint") or ""),
            details=problem.get("details") or {},
        )
        self.status = status
        self.code = str(problem.get("code") or "minicloud.internal")
        self.request_id = str(problem.get("request_id") or "")
        self._problems = tuple(
            Problem(str(item.get("field", "")), str(item.get("message", "")), str(item.get("allowed") or ""))
            for item in problem.get("errors") or ()
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        return self._problems


class UnreachableError(ApiError):
    """Nobody answered in any try, or something that is not minicloud did."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            0,
            {
                "code": "minicloud.client.unreachable",
                "detail": f"{url} does not answer as minicloud does: {reason}",
                "hint": "start the service with `minicloud serve`, or name another with `url` or MINICLOUD_URL",
            },
        )


@dataclass(frozen=True)
class Answer:
    """What the service answered: the HTTP status and the JSON object (empty where there was no body)."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True)
class ApiClient:
    """Speaks to one service.

    :param url: where it listens, without ``/v1``.
    :param token: the bearer token; empty for calls that need none.
    :param timeout: seconds for one exchange.
    :param sleep: how to pause between tries; for tests.
    """

    url: str = DEFAULT_URL
    token: str = ""
    timeout: float = 30.0
    validate_certs: bool = True
    ca_path: str | None = None
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> ApiClient:
        """A client from options named as in ``API_ARGUMENTS``.

        :raises ApiError: when the file that is to hold the token cannot be read.
        """
        return cls(
            url=str(options["url"]).rstrip("/"),
            token=read_token(options, os.environ),
            timeout=float(options.get("timeout") or 30.0),
            validate_certs=options.get("validate_certs") is not False,
            ca_path=options.get("ca_path"),
        )

    def get(self, path: str, **query: Any) -> Answer:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None, *, wait: int = 0, **query: Any) -> Answer:
        """Ask for a change. All tries of one call carry one Idempotency-Key, so it is done once.

        :param wait: seconds that the service may hold its answer until the change is done.
        """
        return self.request("POST", path, body=body or {}, query=query, wait=wait)

    def delete(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Answer:
        """Ask for something to go. Like :meth:`post`, under one Idempotency-Key."""
        return self.request("DELETE", path, body=body, query=query)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        wait: int = 0,
    ) -> Answer:
        """Exchange one request for its answer, trying again while the connection breaks or the service is busy.

        :param path: from the root, ``/v1/vms``; see :func:`path_of`.
        :param query: query parameters; those that are None are left out.
        :raises ApiError: the service refused.
        :raises UnreachableError: nobody answered in any try.
        """
        present = {key: _text(value) for key, value in (query or {}).items() if value is not None}
        address = f"{self.url}{path}" + (f"?{urlencode(present)}" if present else "")
        headers = self._headers(method, wait)
        data = None if body is None else json.dumps(body).encode()
        pause = 0.2
        for left in range(TRIES - 1, -1, -1):
            try:
                return self._exchange(method, address, data, headers, self.timeout + wait)
            except UnreachableError:
                if not left:
                    raise
            except ApiError as error:
                if error.status not in _BUSY or not left:
                    raise
            self.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)
        raise AssertionError("the last try returns or raises")

    def _headers(self, method: str, wait: int) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if method != "GET":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        if wait:
            headers["Prefer"] = f"wait={wait}"
        return headers

    def _exchange(
        self, method: str, address: str, data: bytes | None, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        try:
            # A redirect would carry the token elsewhere, and a netrc entry would replace it.
            with open_url(
                address,
                data=data,
                headers=dict(headers),
                method=method,
                timeout=timeout,
                validate_certs=self.validate_certs,
                ca_path=self.ca_path,
                follow_redirects="none",
                use_netrc=False,
                http_agent="minicloud-ansible",
            ) as response:
                return Answer(response.status, self._decode(response.status, response.read()))
        except HTTPError as error:
            raise ApiError(error.code, self._decode(error.code, error.read())) from error
        except (URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise UnreachableError(self.url, str(reason) or type(reason).__name__) from error

    def _decode(self, status: int, raw: bytes) -> dict[str, Any]:
        if not raw.strip():
            return {}
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise UnreachableError(self.url, f"HTTP {status}, {raw[:80]!r}") from error
        if not isinstance(body, dict):
            raise UnreachableError(self.url, f"HTTP {status}, JSON that is not an object")
        return body


def path_of(*segments: str) -> str:
    """A path under ``/v1`` in which each segment is one segment, whatever it contains."""
    return "/v1/" + "/".join(quote(segment, safe="") for segment in segments)


def read_token(options: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """The token: the option, the option's file, the same two of the environment, then the state directory's.

    :returns: empty where there is none.
    :raises ApiError: when a file that is named cannot be read.
    """
    if options.get("token"):
        return str(options["token"])
    if options.get("token_file"):
        return _read_token_file(Path(options["token_file"]))
    if environment.get("MINICLOUD_TOKEN"):
        return environment["MINICLOUD_TOKEN"]
    if environment.get("MINICLOUD_TOKEN_FILE"):
        return _read_token_file(Path(environment["MINICLOUD_TOKEN_FILE"]))
    own = Path(environment.get("MINICLOUD_STATE_DIR") or ".minicloud") / "token"
    # This machine's administrator's token is for this machine's service alone.
    local = urlsplit(str(options["url"])).hostname in _LOOPBACK
    return _read_token_file(own) if local and own.is_file() else ""


def _read_token_file(file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ApiError(
            0,
            {
                "code": "minicloud.client.token_file",
                "detail": f"the token file {file} cannot be read: {error.strerror}",
                "hint": "name a file that holds the token alone, with `token_file` or MINICLOUD_TOKEN_FILE",
            },
        ) from error


def as_labels(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Labels as the API takes them: YAML reads ``rack: 1`` as a number, and people mean the text."""
    numbers = (int, float)
    return {
        key: str(value) if isinstance(value, numbers) and not isinstance(value, bool) else value
        for key, value in labels.items()
    }


def default_owner() -> str:
    """Who claims an operation from a terminal: ``user@machine:pid``, for people who look at the operation."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    # The parent is ansible-playbook's worker; the module's own process ends at once.
    return f"{user}@{socket.gethostname()}:{os.getppid()}"


def failure_of(error: MinicloudError) -> dict[str, Any]:
    """An error as the arguments of ``fail_json``: ``msg`` for people, ``error`` for programs."""
    problems = [
        f"{problem.field}: {problem.message}" + (f" (allowed: {problem.allowed})" if problem.allowed else "")
        for problem in error.problems
    ]
    sentences = [error.message, *(problem for problem in problems if problem not in error.message)]
    if error.hint:
        sentences.append(f"Hint: {error.hint}")
    return {"msg": ". ".join(sentence.rstrip(".") for sentence in sentences), "error": error.to_mapping()}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
