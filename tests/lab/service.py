"""A real `minicloud serve` in a process of its own, to be started, stopped and killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = Path(sys.executable).parent
_LISTENING = re.compile(r"\blistening\b.* address=(\S+)")


class Service:
    """One service on one state directory.

    :param state: the state directory; made and initialised when it is missing.
    :param listen: addresses, ``host:port``; the first is how tests reach it. Its port may be 0, for tests that run
        beside others; once started, the service keeps the one it was given.
    :param advertise_url: how hosts reach it.
    :param options: further ``MINICLOUD_*`` settings without their prefix, lower case.
    :param program: what serves; the command itself unless a test leaves parts of the service out.
    """

    def __init__(
        self,
        state: Path,
        listen: tuple[str, ...],
        *,
        advertise_url: str = "",
        options: Mapping[str, str] | None = None,
        program: tuple[str | Path, ...] = (COMMANDS / "minicloud",),
    ) -> None:
        self._program = program
        self.state = state
        self.log = state / "serve.log"
        self._listen = listen
        self._arguments: list[str] = []
        if advertise_url:
            self._arguments = ["--advertise-url", advertise_url]
        self._options = {f"MINICLOUD_{name.upper()}": value for name, value in (options or {}).items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self._listen[0]}"

    @property
    def token(self) -> str:
        return (self.state / "token").read_text().strip()

    @property
    def environment(self) -> dict[str, str]:
        """What a terminal needs to speak to it, and Ansible to find the collection."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MINICLOUD_")}
        return {
            **inherited,
            "PATH": f"{COMMANDS}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "MINICLOUD_URL": self.url,
            "MINICLOUD_TOKEN_FILE": str(self.state / "token"),
            "MINICLOUD_STATE_DIR": str(self.state),
        }

    def start(self, *, timeout: float = 60) -> None:
        """Start it, and return when it is ready."""
        if not (self.state / "token").exists():
            self._minicloud("init", "--new-token", "--token-file", str(self.state / "token"))
        with self.log.open("ab") as log:
            began = log.tell()
            self._process = subprocess.Popen(
                [*self._program, "serve", "--listen", ",".join(self._listen), *self._arguments],
                env={**self.environment, **self._options},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout
        self._listen = self._await_addresses(began, deadline)
        self._await_ready(deadline)

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out: nothing is told, nothing is tidied."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self, *, timeout: float = 60) -> int | None:
        """SIGTERM; the exit code, None where it did not run."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            self._process = None

    def tail(self, lines: int = 40) -> str:
        """The end of its log, without a line for each request that a test makes."""
        told = [line for line in self.log.read_text(errors="replace").splitlines() if "[minicloud.api]" not in line]
        return "\n".join(told[-lines:])

    def _minicloud(self, *arguments: str) -> None:
        subprocess.run([COMMANDS / "minicloud", *arguments], env=self.environment, cwd=ROOT, check=True)

    def _await_addresses(self, began: int, deadline: float) -> tuple[str, ...]:
        """Where it says that it listens: who answers at an address may be another service."""
        while time.monotonic() < deadline and self._runs():
            told = self.log.read_bytes()[began:].decode(errors="replace")
            addresses = tuple(_LISTENING.findall(told))
            if len(addresses) == len(self._listen):
                return addresses
            time.sleep(0.05)
        raise AssertionError(f"the service does not say where it listens:\n{self.tail()}")

    def _await_ready(self, deadline: float) -> None:
        trouble = ""
        while time.monotonic() < deadline and self._runs():
            try:
                answer = httpx.get(f"{self.url}/readyz", timeout=2)
            except httpx.TransportError as error:
                trouble = str(error)
            else:
                if answer.is_success:
                    return
                trouble = answer.text
            time.sleep(0.1)
        raise AssertionError(f"the service is not ready ({trouble}):\n{self.tail()}")

    def _runs(self) -> bool:
        """Whether its process is there still.

        :raises AssertionError: it has ended, and nobody stopped it.
        """
        assert self._process is not None
        if self._process.poll() is None:
            return True
        raise AssertionError(f"the service ended while it started:\n{self.tail()}")
