"""The command against a real service whose hands are idle."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.idle.cloud import idle_cloud
from tests.lab.service import COMMANDS, Service


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever starts a service, and a process for each command, takes seconds."""
    for item in items:
        if "cloud" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with idle_cloud(tmp_path_factory.mktemp("cli") / "state", hosts=2) as service:
        yield service


@dataclass(frozen=True)
class Ended:
    """An invocation that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]


@pytest.fixture
def run(cloud: Service, tmp_path: Path) -> Run:
    """Runs ``minicloud`` as a program would: with pipes for a terminal, its token in a file."""

    def invoke(*words: str, **variables: str) -> Ended:
        done = subprocess.run(
            [COMMANDS / "minicloud", *words],
            env={**cloud.environment, **variables},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return invoke


@pytest.fixture
def on_terminal(cloud: Service, tmp_path: Path) -> Callable[..., str]:
    """Runs ``minicloud`` on a pseudo-terminal; all that it wrote there."""

    def invoke(*words: str, **variables: str) -> str:
        inherited = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        environment = {**inherited, **cloud.environment, "TERM": "xterm-256color", **variables}
        command = str(COMMANDS / "minicloud")
        child = pexpect.spawn(command, [*words], env=environment, cwd=str(tmp_path), dimensions=(40, 160), timeout=60)
        written = child.read().decode()
        child.close()
        return written

    return invoke
