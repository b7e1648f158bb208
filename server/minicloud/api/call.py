"""What a handler is handed: who asks, on which request, with what."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Header, Query
from minicloud_core.model.errors import UnauthenticatedError, UnavailableError
from prometheus_client import CollectorRegistry
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from minicloud.services import token
from minicloud.services.console import ConsoleReader
from minicloud.services.context import Actor, Context, Idempotency

from .body import decode_object, read_bytes
from .figures import FleetCollector, RequestMeter
from .output import Shape
from .query import check_query
from .waiting import Relay

WAIT_MAX: Final = 300.0
_REMEMBERED_MAX: Final = 1024
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9})\"?(?:$|[,;\s])", re.IGNORECASE)

# What is wrong with a part of the service, or None.
Probe = Callable[[], str | None]
Result = TypeVar("Result")


class Guard:
    """Tokens to actors, remembered for a moment: a revoked token is refused after ``ttl`` seconds at the latest."""

    def __init__(self, context: Context, *, ttl: float = 2.0, clock: Callable[[], float] = monotonic) -> None:
        self._context = context
        self._ttl = ttl
        self._clock = clock
        self._known: dict[bytes, tuple[float, Actor]] = {}

    async def admit(self, header: str | None, request_id: str) -> Actor:
        """The actor behind an ``Authorization`` header.

        :raises UnauthenticatedError: there is none.
        """
        scheme, _blank, secret = (header or "").partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise UnauthenticatedError(
                "the request carries no token", hint="send the header Authorization: Bearer TOKEN"
            )
        digest, now = hashlib.sha256(secret.encode()).digest(), self._clock()
        known = self._known.get(digest)
        if known is not None and now < known[0]:
            return known[1].on(request_id)
        actor = await run_in_threadpool(token.authenticate, self._context, secret)
        self._remember(digest, now + self._ttl, actor)
        return actor.on(request_id)

    def _remember(self, digest: bytes, until: float, actor: Actor) -> None:
        if len(self._known) >= _REMEMBERED_MAX:
            self._known.clear()
        self._known[digest] = (until, actor)


class NoConsole:
    """Stands in where nothing observes hosts."""

    def read_console(self, host: str, uuid: str, tail: int) -> bytes:
        raise UnavailableError(f"this process does not observe {host}, so it cannot read the console of {uuid}")


@dataclass
class Room:
    """Everything that handlers work with, put together once.

    :param probes: by part of the service, what is wrong with it.
    :param registry: where figures for Prometheus are kept.
    :param streams_max: event streams that may be open at once.
    """

    context: Context
    console: ConsoleReader = field(default_factory=NoConsole)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    streams_max: int = 64

    def __post_init__(self) -> None:
        self.registry.register(FleetCollector(self.context))
        self.meter = RequestMeter(self.registry)
        self.guard = Guard(self.context)
        self.relay = Relay(self.context)
        self.streams = 0


@dataclass(frozen=True)
class Call:
    """An authenticated request."""

    room: Room
    actor: Actor

    @property
    def context(self) -> Context:
        return self.room.context


@dataclass(frozen=True)
class Change(Call):
    """An authenticated request that wants something done. ``wait`` in seconds, 0 for an answer at once."""

    body: dict[str, Any]
    dry_run: bool
    idempotency: Idempotency | None
    wait: float

    async def run(self, function: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """Have a service change something, as this request asks for it, on a thread of the pool."""
        return await run_in_threadpool(
            function,
            self.context,
            self.actor,
            *arguments,
            dry_run=self.dry_run,
            idempotency=self.idempotency,
            **named,
        )


def room_of(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


async def read_call(request: Request) -> Call:
    room = room_of(request)
    actor = await room.guard.admit(request.headers.get("authorization"), request.state.request_id)
    request.state.actor = actor.name
    check_query(request)
    return Call(room, actor)


Caller = Annotated[Call, Depends(read_call)]


async def read_change(
    request: Request,
    call: Caller,
    dry_run: Annotated[bool, Query(description="Answer with what would happen, and change nothing.")] = False,
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="The same key with the same body answers the same.",
            min_length=1,
            max_length=255,
            pattern=r"^[\x21-\x7e]+$",
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        Header(alias="Prefer", description="`wait=N` holds the answer up to N seconds (at most 300) until it is done."),
    ] = None,
) -> Change:
    body = decode_object(await read_bytes(request))
    key = None if idempotency_key is None or dry_run else _idempotency(request, idempotency_key, body)
    return Change(call.room, call.actor, body, dry_run, key, 0.0 if dry_run else read_wait(prefer))


Changer = Annotated[Change, Depends(read_change)]


def read_wait(prefer: str | None) -> float:
    """Seconds from a ``Prefer`` header (RFC 7240), which is ignored where it makes no sense."""
    match = _WAIT.search(prefer or "")
    return min(float(match.group(1)), WAIT_MAX) if match else 0.0


def _idempotency(request: Request, key: str, body: Mapping[str, Any]) -> Idempotency:
    asked = [request.url.path, sorted(request.query_params.multi_items()), body]
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    return Idempotency(key, f"{request.method} {request.scope['route'].path}", digest)


def answer(shape: Shape, status: int = 200, *, replayed: bool = False, **headers: str) -> Response:
    """An answer in JSON. Keywords are headers: ``location=``."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    if replayed:
        named["Idempotency-Replayed"] = "true"
    return Response(shape.model_dump_json().encode(), status, named, "application/json")
