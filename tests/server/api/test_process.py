"""The real command as a real process: init, serve, refusals, and an orderly end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import pytest

pytestmark = pytest.mark.slow

COMMAND = str(Path(sys.executable).with_name("minicloud"))
PATIENCE = 60.0


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MINICLOUD_")}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@dataclass(frozen=True)
class Serving:
    """A service that answers.

    :param urls: where, in the order in which it was told to listen.
    """

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    urls: list[str]

    @property
    def url(self) -> str:
        return self.urls[0]

    def told(self) -> str:
        return told(self.log)


def told(log: IO[bytes]) -> str:
    log.seek(0)
    return log.read().decode()


@contextmanager
def serving(state: Path, *words: str, listen: str = "127.0.0.1:0") -> Iterator[Serving]:
    """A service that answers, on any free port; killed if it is still there at the end."""
    with (state.parent / "serve.log").open("w+b") as log:
        process = subprocess.Popen(
            [COMMAND, "serve", "--state-dir", str(state), "--listen", listen, *words],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            yield Serving(process, log, await_ready(process, log))
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def await_ready(process: subprocess.Popen[bytes], log: IO[bytes]) -> list[str]:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        listening = "\n".join(line for line in told(log).splitlines() if "listening" in line)
        urls = [f"http://{address}" for address in re.findall(r"127[\d.]+:\d+", listening)]
        with suppress(httpx.TransportError):
            if urls and all(httpx.get(f"{url}/readyz").status_code == 200 for url in urls):
                return urls
        time.sleep(0.1)
    raise AssertionError(f"the service does not answer:\n{told(log)}")


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An initialised state directory and its token."""
    state = tmp_path_factory.mktemp("process") / "state"
    done = run("init", "--state-dir", str(state))
    assert done.returncode == 0, done.stderr
    return state, done.stdout.strip()


def test_init_prints_the_token_alone_and_once(foundation: tuple[Path, str]) -> None:
    state, token = foundation
    assert token.startswith("mc_")
    assert " " not in token
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for secret in (state / "pki" / "ca-key.pem", state / "pki" / "client" / "clientkey.pem", state / "signing.key"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert not [path for path in state.rglob("*") if path.is_file() and token.encode() in path.read_bytes()]
    before = (state / "pki" / "ca.pem").read_bytes()
    again = run("init", "--state-dir", str(state))
    assert (again.returncode, again.stdout) == (0, "")
    assert "already" in again.stderr
    assert (state / "pki" / "ca.pem").read_bytes() == before


def test_init_tells_a_program_in_json(tmp_path: Path) -> None:
    done = run("init", "--state-dir", str(tmp_path / "state"), "--output", "json")
    answer = json.loads(done.stdout)
    assert answer["created"] is True
    assert answer["token"].startswith("mc_")
    again = json.loads(run("init", "--state-dir", str(tmp_path / "state"), "--output", "json").stdout)
    assert (again["created"], again["token"]) == (False, None)


def test_init_writes_the_token_where_it_is_told(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "token"
    done = run("init", "--state-dir", str(tmp_path / "state"), "--token-file", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert file.read_text().startswith("mc_")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() not in done.stderr
    more = run("init", "--state-dir", str(tmp_path / "state"), "--new-token")
    assert more.stdout.startswith("mc_")
    assert more.stdout != file.read_text()


def test_serve_wants_to_be_initialised(tmp_path: Path) -> None:
    done = run("serve", "--state-dir", str(tmp_path / "state"), "--listen", "127.0.0.1:0")
    assert done.returncode == 3
    assert "minicloud init" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_flags_that_make_no_sense_are_named() -> None:
    for words, flag in ((("--listen", "8080"), "--listen"), (("--run-slots", "0"), "--run-slots")):
        done = run("serve", *words)
        assert done.returncode == 2
        assert flag in done.stderr
        assert "Traceback" not in done.stderr


def test_it_serves_alone_and_ends_in_order(foundation: tuple[Path, str]) -> None:
    state, token = foundation
    headers = {"Authorization": f"Bearer {token}"}
    with serving(state, "--log-format", "json") as service:
        process, url = service.process, service.url
        assert (state / "serve.pid").read_text() == f"{process.pid}\n"
        assert httpx.get(f"{url}/v1/vms", headers=headers).json() == {"items": [], "next": None}
        assert "minicloud_runs 0.0" in httpx.get(f"{url}/metrics").text

        second = run("serve", "--state-dir", str(state), "--listen", "127.0.0.1:0")
        assert second.returncode == 5
        assert f"pid {process.pid}" in second.stderr

        with httpx.stream("GET", f"{url}/v1/events", headers=headers, timeout=PATIENCE) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith(":")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert not [line for line in lines if line and not line.startswith(":")]
        assert process.wait(PATIENCE) == 0
        assert time.monotonic() - began < 20
        lines = [json.loads(line) for line in service.told().splitlines()]
    assert lines[-1]["event"] == "stopped"
    assert not [line for line in lines if line["level"] in ("error", "critical")]
    assert not (state / "serve.pid").exists()
    assert token not in str(lines)


def test_a_changed_policy_file_counts_without_a_restart(foundation: tuple[Path, str], tmp_path: Path) -> None:
    state, token = foundation
    policy, kernel = tmp_path / "policy.yml", tmp_path / "vmlinuz"
    policy.write_text("name: night\nextends: pack\n")
    kernel.write_bytes(b"kernel")
    headers = {"Authorization": f"Bearer {token}"}
    with serving(state, "--policy", str(policy), "--log-format", "json") as service:
        client = httpx.Client(base_url=service.url, headers=headers)
        image = {"name": "tiny", "kind": "kernel", "files": [{"role": "kernel", "path": str(kernel)}]}
        assert client.post("/v1/images", json=image).status_code == 201

        def decider() -> str:
            answer = client.post("/v1/placements", json={"name": "web01"})
            policy_named: str = answer.json()["decision"]["policy"]
            return policy_named

        assert decider() == "night"
        policy.write_text("name: day\nextends: sprad\n")
        time.sleep(1.1)
        assert [decider() for _try in range(3)] == ["night"] * 3
        policy.write_text("name: day\nextends: spread\n")
        time.sleep(1.1)
        assert decider() == "day"
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(PATIENCE) == 0
        lines = [json.loads(line) for line in service.told().splitlines()]
    (refusal,) = [line for line in lines if line["event"].startswith("policy refused")]
    assert refusal["mistakes"][0].startswith(f"{policy}:2:10: extends: 'sprad' is not a shipped policy")
    assert len([line for line in lines if line["event"] == "policy read again"]) == 1


def test_a_service_does_not_start_on_a_policy_with_mistakes(foundation: tuple[Path, str], tmp_path: Path) -> None:
    state, _token = foundation
    policy = tmp_path / "policy.yml"
    policy.write_text("name: night\nextends: packed\nlimits: {swap: 1}\n")
    done = run("serve", "--state-dir", str(state), "--listen", "127.0.0.1:0", "--policy", str(policy))
    assert done.returncode == 2
    assert f"{policy}:2:10: extends" in done.stderr
    assert f"{policy}:3:10: limits.swap" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_taken_is_named(foundation: tuple[Path, str]) -> None:
    state, _token = foundation
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("serve", "--state-dir", str(state), "--listen", address)
    assert done.returncode == 5
    assert address in done.stderr
    assert "--listen" in done.stderr
    assert not (state / "serve.pid").exists()


def test_a_killed_service_leaves_nothing_in_the_way(foundation: tuple[Path, str]) -> None:
    state, _token = foundation
    with serving(state) as service:
        service.process.kill()
        service.process.wait()
        assert (state / "serve.pid").exists()
    with serving(state, listen=service.url.removeprefix("http://")) as again:
        assert (state / "serve.pid").read_text() == f"{again.process.pid}\n"


def test_serve_can_initialise_first_and_listen_twice(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "token"
    with serving(state, "--init", "--token-file", str(file), "--listen", "127.0.0.2:0") as service:
        headers = {"Authorization": f"Bearer {file.read_text().strip()}"}
        assert ["127.0.0.1" in url for url in service.urls] == [True, False]
        for url in service.urls:
            assert httpx.get(f"{url}/v1/projects", headers=headers).json()["items"]


def test_the_client_starts_without_the_service(tmp_path: Path) -> None:
    """Whoever asks for help or a list does not wait for a web server and a database to be imported."""
    program = "import sys, minicloud.main; print([name for name in sys.modules if name in sys.argv])"
    heavy = ("sqlalchemy", "fastapi", "uvicorn", "libvirt", "pydantic", "alembic")
    done = subprocess.run(
        [sys.executable, "-c", program, *heavy], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.strip() == "[]"
