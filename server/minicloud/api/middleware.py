"""What surrounds every request: its id, its count and time, one log line, and the net under unexpected errors."""

from __future__ import annotations

import re
import secrets
from time import perf_counter
from typing import Final

import structlog
from minicloud_core.model.errors import MinicloudError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .call import Room
from .problem import MalformedRequestError, answer_problem

log = structlog.get_logger("minicloud.api")

HEADER: Final = "X-Request-ID"
_REQUEST_ID: Final = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
# Asked for every few seconds by probes; a line for each would bury the others.
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})


def choose_request_id(offered: str | None) -> str:
    """The client's id when it is a sound one, else one of our own."""
    if offered is not None and _REQUEST_ID.fullmatch(offered):
        return offered
    return f"req-{secrets.token_hex(8)}"


class RequestMiddleware:
    """Plain ASGI, so that streams pass through untouched and a request costs microseconds here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = choose_request_id(Headers(scope=scope).get(HEADER))
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = perf_counter(), 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        try:
            await self._serve(scope, receive, send_marked)
        except Exception:
            log.exception("request failed", method=scope["method"], path=scope["path"])
            if status:  # the answer has begun: all that is left is to break the connection
                raise
            await answer_problem(_unexpected(), request_id)(scope, receive, send_marked)
        finally:
            self._note(scope, status, perf_counter() - started)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            error = MalformedRequestError("the address contains a NUL character")
            await answer_problem(error, scope["state"]["request_id"])(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        template = getattr(scope.get("route"), "path", "unmatched")
        room: Room = scope["app"].state.room
        room.meter(scope["method"], template, status, seconds)
        if scope["path"] not in _QUIET:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round(seconds * 1000, 1),
                actor=scope["state"].get("actor", ""),
            )


def _unexpected() -> MinicloudError:
    return MinicloudError("an unexpected error; the service's log has it under this request id")
