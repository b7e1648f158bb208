"""Modules run in this process, against a service that says what a test tells it to."""

from __future__ import annotations

import importlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible.module_utils.testing import patch_module_args

COLLECTIONS = Path(__file__).parents[3] / ".venv" / "collections"
TOKEN = "a-token-of-this-test"

Reply = tuple[int, dict[str, Any] | None]


@dataclass(frozen=True)
class Request:
    """What a module sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: dict[str, Any] | None


@dataclass
class Service:
    """Answers by the contract. A reply is used once, the last one of a route for ever."""

    url: str = ""
    replies: dict[tuple[str, str], list[Reply | Callable[[Request], Reply]]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    # How many connections to break before anything is answered.
    breaks: int = 0

    def on(self, method: str, path: str, *replies: Reply | Callable[[Request], Reply]) -> None:
        self.replies.setdefault((method, path), []).extend(replies)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return problem(401, "minicloud.auth.unauthenticated", "a valid token is needed")
        waiting = self.replies.get((request.method, request.path))
        if not waiting:
            return problem(404, "minicloud.resource.not_found", f"there is no {request.path}")
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return reply(request) if callable(reply) else reply

    def sent(self, method: str) -> list[Request]:
        return [request for request in self.requests if request.method == method]


def problem(status: int, code: str, detail: str, **more: Any) -> Reply:
    """A problem document as the service writes it."""
    return status, {"type": f"urn:minicloud:error:{code}", "status": status, "detail": detail, "code": code, **more}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urlsplit(self.path)
        request = Request(
            self.command,
            split.path,
            dict(parse_qsl(split.query)),
            dict(self.headers.items()),
            json.loads(raw) if raw else None,
        )
        self.service.requests.append(request)
        if self.service.breaks:
            self.service.breaks -= 1
            self.close_connection = True
            self.connection.close()
            return
        status, body = self.service.answer(request)
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815

    def log_message(self, *_arguments: Any) -> None:
        """Tests read ``Service.requests`` instead."""


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session", autouse=True)
def collection() -> Iterator[None]:
    """Make ``ansible_collections.minicloud.libvirt`` importable, as Ansible does on a host."""
    sys.path.insert(0, str(COLLECTIONS))
    yield
    sys.path.remove(str(COLLECTIONS))


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run a module by name with arguments, and answer what it returned. ``check`` for check mode."""
    for name in ("MINICLOUD_URL", "MINICLOUD_TOKEN", "MINICLOUD_TOKEN_FILE", "MINICLOUD_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)

    def run(name: str, /, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        module = importlib.import_module(f"ansible_collections.minicloud.libvirt.plugins.modules.{name}")
        with patch_module_args({"_ansible_check_mode": check, **arguments}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


@pytest.fixture
def ask(run_module: Run, service: Service) -> Run:
    """Run a module that speaks to the service of this test."""

    def run(name: str, /, **arguments: Any) -> dict[str, Any]:
        return run_module(name, url=service.url, token=TOKEN, **arguments)

    return run
