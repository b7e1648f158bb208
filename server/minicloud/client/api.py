"""The service's API as an object: one attribute for each noun."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import httpx

from .batch import Batches
from .event import Events
from .host import Hosts
from .image import Images
from .operation import Operations
from .placement import Placements
from .project import Projects
from .reservation import Reservations
from .token import Tokens
from .transport import DEFAULT_URL, Transport
from .vm import Vms


class Client:
    """A synchronous client.

    :param url: where the service listens.
    :param token: the bearer token.
    :param project: for an administrator's token: the project whose VMs are meant.
    :param options: passed on to :class:`minicloud.client.transport.Transport`.

    >>> with Client("http://127.0.0.1:8080", token) as client:
    ...     vm = client.vms.create({"name": "web01"})
    ...     client.operations.wait(vm["operation"])
    """

    def __init__(self, url: str = DEFAULT_URL, token: str = "", project: str | None = None, **options: Any) -> None:
        self.transport = Transport(url, token, **options)
        self.events = Events(self.transport)
        self.vms = Vms(self.transport, project)
        self.batches = Batches(self.transport, project)
        self.hosts = Hosts(self.transport)
        self.operations = Operations(self.transport, self.events)
        self.placements = Placements(self.transport, project)
        self.reservations = Reservations(self.transport, project)
        self.images = Images(self.transport)
        self.projects = Projects(self.transport)
        self.tokens = Tokens(self.transport)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.transport.close()

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Any other call, with the same authentication, retries and errors."""
        return self.transport.request(method, path, **arguments)
