"""A runner at work: a real store, real time, real playbook runs on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from minicloud.runner import process_tree
from minicloud.runner.service import Runner
from minicloud.services import host, operation
from minicloud.services.context import Context, SystemClock
from minicloud.services.view.host import HostSpec
from minicloud.services.view.operation import OperationView
from minicloud.settings import Settings
from minicloud.store.store import open_store

from tests.server.runner import playbooks
from tests.server.world import ADMIN, World

# No host listens on it, so that SSH is refused at once.
CLOSED_PORT = 1


@dataclass
class Works:
    """A service's context with hosts ``node1`` and ``node2``, and the folder of its playbooks."""

    context: Context
    settings: Settings
    world: World

    def playbook(self, tasks: str, **options: Any) -> None:
        playbooks.write(self.settings.playbooks_dir, tasks, **options)

    def create(self, name: str = "web01", **body: Any) -> str:
        """Ask for a VM; returns the operation's id."""
        made = self.world.create(name, **body)
        assert made.operation is not None
        return made.operation.id

    def operation(self, name: str) -> OperationView:
        return operation.get(self.context, ADMIN, name)

    def await_state(self, name: str, *states: str, seconds: float = 20) -> OperationView:
        """Wait until an operation has one of the states."""
        deadline = time.monotonic() + seconds
        while (found := self.operation(name)).state not in states:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def await_retry(self, name: str, tries: int = 1, seconds: float = 20) -> OperationView:
        """Wait until a try has failed and the operation is queued again."""
        deadline = time.monotonic() + seconds
        while (found := self.operation(name)).state != "queued" or found.tries < tries:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def await_task(self, name: str, task: str, seconds: float = 20) -> None:
        """Wait until the operation's log tells of a task."""
        deadline = time.monotonic() + seconds
        while not any(entry.data.get("task") == task for entry in self.log(name)):
            assert time.monotonic() < deadline, self.operation(name)
            time.sleep(0.05)

    def log(self, name: str) -> list[Any]:
        return list(operation.events(self.context, ADMIN, name))

    @property
    def processes(self) -> set[int]:
        """Of all runs of this service."""
        found = process_tree.runs()
        return {pid for path in self.settings.runs_dir.glob("run-*") for pid in found.get(path.name, ())}

    @property
    def directories(self) -> list[Path]:
        return list(self.settings.runs_dir.glob("run-*"))


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Works]:
    settings = Settings(
        state_dir=tmp_path / "state", playbooks=tmp_path / "plays", lease_seconds=3, run_slots=2, stop_grace=1
    )
    store = open_store(settings.database_url)
    store.migrate()
    context = Context(store, settings, b"k" * 32, SystemClock())
    world = World(context, SystemClock())  # type: ignore[arg-type]
    for name in ("node1", "node2"):
        host.register(context, ADMIN, HostSpec(name, "127.0.0.1", ssh_port=CLOSED_PORT))
        world.observe(name)
    yield Works(context, settings, world)
    store.close()


StartRunner = Callable[[], Runner]


@pytest.fixture
def start_runner(works: Works) -> Iterator[StartRunner]:
    """Start a runner, ended with the test."""
    started = []

    def start() -> Runner:
        runner = Runner(works.context, works.settings)
        runner.start()
        started.append(runner)
        return runner

    yield start
    for runner in started:
        runner.stop(0)
