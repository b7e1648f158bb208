"""The API over a real store and real sockets, with a small fleet and a token of each kind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from minicloud.api.app import create_app
from minicloud.api.call import Room
from minicloud.daemon import Server
from minicloud.services import project, token
from minicloud.services.context import SYSTEM
from minicloud.services.view.project import Quota
from minicloud.store.tables import metadata
from sqlalchemy import func, select

from tests.server.world import World


class Tape:
    """Consoles that have something on them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []

    def read_console(self, host: str, uuid: str, tail: int) -> bytes:
        self.asked.append((host, uuid, tail))
        return b"minicloud-guest web01 uptime 2.14\n"[-tail:]


@dataclass
class Cloud:
    """A service without hands: what a test does not carry out stays queued."""

    http: httpx.Client
    world: World
    room: Room
    tape: Tape
    tokens: dict[str, str]

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        who: str = "admin",
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.tokens[who]}"} if who else {}
        return self.http.request(method, path, json=body, headers={**sent, **(headers or {})}, **options)

    def get(self, path: str, **options: Any) -> Any:
        """What is there, in JSON."""
        response = self.call("GET", path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def create(self, name: str = "web01", **body: Any) -> dict[str, Any]:
        response = self.call("POST", "/v1/vms", {"name": name, **body})
        assert response.status_code == 202, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def running(self, name: str = "web01", **body: Any) -> dict[str, Any]:
        self.create(name, **body)
        self.world.carry_out("running")
        answer: dict[str, Any] = self.get(f"/v1/vms/{name}")
        assert answer["status"] == "running"
        return answer

    def rows(self) -> dict[str, int]:
        """How many rows each table has: two equal answers mean that nothing was written in between."""
        with self.world.ctx.read() as session:
            return {
                table.name: session.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer is, checked for all that every problem has."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code
    assert problem["type"] == f"urn:minicloud:error:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


def fields(problem: Mapping[str, Any]) -> set[str]:
    return {error["field"] for error in problem["errors"]}


@pytest.fixture
def room(world: World) -> Room:
    return Room(world.ctx, console=Tape())


@pytest.fixture(scope="session")
def app() -> FastAPI:
    """The application; putting it together takes longer than most tests."""
    return create_app()


@contextmanager
def served(app: FastAPI, room: Room) -> Iterator[str]:
    """Serve the API as the daemon does; yields where."""
    app.state.room = room
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2)
        server = Server(config, on_stop=room.relay.stop)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def url(app: FastAPI, room: Room) -> Iterator[str]:
    # pylint: disable-next=contextmanager-generator-missing-cleanup
    with served(app, room) as url:
        yield url


@pytest.fixture
def cloud(world: World, room: Room, url: str) -> Iterator[Cloud]:
    """Two hosts, the projects ``default`` and ``blue``, and tokens: admin, member and viewer of default, blue."""
    world.fleet("node1", "node2")
    project.create(world.ctx, SYSTEM, "blue", Quota())
    kinds = {"admin": ("admin", None), "member": ("member", "default"), "viewer": ("viewer", "default")}
    kinds["blue"] = ("member", "blue")
    tokens = {
        name: token.create(world.ctx, SYSTEM, name, role, project=of).secret for name, (role, of) in kinds.items()
    }
    assert isinstance(room.console, Tape)
    with httpx.Client(base_url=url, timeout=30) as http:
        yield Cloud(http, world, room, room.console, tokens)
