"""What every service function is handed: the store, the time, chance, and who asks."""

from __future__ import annotations

import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from minicloud.store.store import Session, Store

from .policy import DEFAULT, PolicySource
from .standing_fleet import StandingFleet
from .turn import Turns

TOPICS: Final = ("operations", "observations", "events")
ROLES: Final = ("admin", "member", "viewer")


class Clock(Protocol):
    """The time, as an argument."""

    def now(self) -> datetime:
        """The moment, with its zone (UTC)."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Entropy(Protocol):
    """Chance, as an argument: ids, UUIDs, MACs, secrets and the jitter of back-offs come from here."""

    def token(self, size: int) -> bytes:
        """``size`` bytes that nobody can guess."""

    def fraction(self) -> float:
        """A number from 0 up to, not including, 1."""


class SystemEntropy:
    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)

    def fraction(self) -> float:
        return secrets.randbelow(1 << 53) / (1 << 53)


class Settings(Protocol):
    """The part of the service's settings that services read; ``minicloud.settings.Settings`` fits."""

    @property
    def database_url(self) -> str: ...

    @property
    def state_dir(self) -> Path: ...

    @property
    def images_dir(self) -> Path: ...

    @property
    def pki_dir(self) -> Path: ...

    @property
    def base_url(self) -> str: ...


class Hints:
    """Wake-ups between rooms of one process. They carry nothing; losing one costs one poll."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._counts: dict[str, int] = defaultdict(int)

    def wake(self, topic: str) -> None:
        """Tell whoever waits for ``topic`` (``operations``, ``observations``, ``events``) to look again."""
        with self._condition:
            self._counts[topic] += 1
            self._condition.notify_all()

    def mark(self, topic: str) -> int:
        """How often ``topic`` was woken so far: hand it to :meth:`wait` to miss nothing between looking and waiting."""
        with self._condition:
            return self._counts[topic]

    def wait(self, topic: str, timeout: float, *, since: int | None = None) -> bool:
        """Wait until ``topic`` is woken.

        :param timeout: seconds, after which it returns anyway.
        :param since: a :meth:`mark`; a wake-up after it counts. None counts only those after this call.
        :returns: whether it was woken.
        """
        with self._condition:
            seen = self._counts[topic] if since is None else since
            return self._condition.wait_for(lambda: self._counts[topic] > seen, timeout)


@dataclass(frozen=True)
class Actor:
    """Who asks, and on which request.

    :param name: for the audit: a token's name, or the controller's.
    :param role: ``admin`` (all), ``member`` (its project's VMs) or ``viewer`` (reads its project).
    :param project: the project that a member or viewer is confined to; None for an admin of all.
    :param token: the id of the token; empty for the service itself.
    :param request_id: what ties the events and operations of one request together.
    """

    name: str
    role: str
    project: str | None = None
    token: str = ""
    request_id: str = ""

    def on(self, request_id: str) -> Actor:
        """The same actor on another request."""
        return replace(self, request_id=request_id)


SYSTEM: Final = Actor("system", "admin")


@dataclass(frozen=True)
class Idempotency:
    """A request's Idempotency-Key.

    :param key: as the client sent it.
    :param route: what it was sent to: ``POST /v1/vms``. Keys are told apart by token's project and route.
    :param fingerprint: a digest of the body.
    """

    key: str
    route: str
    fingerprint: str


@dataclass(frozen=True)
class Context:
    """Where services work. ``signing_key`` signs the URLs that hosts fetch images by; ``creates`` and
    ``reservations`` wait in lines of their own, and ``fleet`` is kept between placements."""

    store: Store
    settings: Settings
    signing_key: bytes
    clock: Clock = field(default_factory=SystemClock)
    hints: Hints = field(default_factory=Hints)
    entropy: Entropy = field(default_factory=SystemEntropy)
    policy: PolicySource = DEFAULT
    creates: Turns[Any, Any] = field(default_factory=Turns)
    reservations: Turns[Any, Any] = field(default_factory=Turns)
    fleet: StandingFleet = field(default_factory=StandingFleet)

    @contextmanager
    def write(self, *topics: str) -> Iterator[Session]:
        """A transaction that changes something; once it is committed, who waits for events or ``topics`` is woken."""
        # The store's own generator ends the transaction whatever happens.
        # pylint: disable-next=contextmanager-generator-missing-cleanup
        with self.store.write() as session:
            yield session
        for topic in ("events", *topics):
            self.hints.wake(topic)

    def read(self) -> AbstractContextManager[Session]:
        """A transaction that only reads."""
        return self.store.read()
