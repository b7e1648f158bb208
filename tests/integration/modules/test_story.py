"""The modules as Ansible runs them, against the real API, services, store and runner.

There are no hosts to watch here, so nobody watches: the service is put together without observer and controllers, and
its own runs say that everything was done.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from minicloud.api.app import create_app
from minicloud.api.call import Room
from minicloud.initialisation import initialise
from minicloud.runner.service import Runner
from minicloud.services import host, image, observation
from minicloud.services.context import Actor, Context
from minicloud.services.opening import open_context
from minicloud.services.view.host import HostSpec
from minicloud.services.view.image import ImageFileSource, ImageSpec
from minicloud.services.view.observation import HostObservation
from minicloud.settings import Settings

ROOT = Path(__file__).parents[3]
STORY = Path(__file__).with_name("story.yml")
SECRET = "hunter2-of-the-story"
ADMIN = Actor("story", "admin")


@dataclass(frozen=True)
class Cloud:
    """Where the service is, and how to run Ansible against it."""

    url: str
    token: str
    state: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MINICLOUD_", "ANSIBLE_"))}
        token_file = self.state / "token"
        token_file.write_text(self.token)
        settings = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv" / "collections"),
            "MINICLOUD_URL": self.url,
            "MINICLOUD_TOKEN_FILE": str(token_file),
        }
        return subprocess.run(
            [str(Path(sys.executable).parent / command[0]), *command[1:]],
            check=False,
            capture_output=True,
            text=True,
            env={**kept, **settings},
            cwd=STORY.parent,
            timeout=240,
        )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    state = tmp_path_factory.mktemp("cloud") / "state"
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        settings = Settings(state_dir=state, listen=(address,), playbooks=ROOT / "tests" / "idle" / "playbooks")
        token = initialise(settings).secret
        context = open_context(settings)
        stack.callback(context.store.close)
        furnish(context, state)
        runner = Runner(context, settings)
        runner.start()
        stack.callback(runner.stop, 10)
        room = Room(context, probes={})
        server = uvicorn.Server(uvicorn.Config(create_app(room), log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        stack.callback(thread.join)
        stack.callback(setattr, server, "should_exit", True)
        stack.callback(room.relay.stop)
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.02)
        yield Cloud(f"http://{address}", token, state)


def furnish(context: Context, state: Path) -> None:
    """Two hosts, as an observer would have seen them, and an image."""
    for number in (1, 2):
        name = f"node{number}"
        host.register(context, ADMIN, HostSpec(name, f"192.0.2.{number}"))
        seen = HostObservation(name, datetime.now(UTC), cpu=64, ram_mib=2**18, disk_bytes=2**44, load=0.0)
        observation.record(context, seen)
    kernel = state / "vmlinuz"
    kernel.write_bytes(b"nobody boots this")
    image.register(context, ADMIN, ImageSpec("tiny", "kernel", (ImageFileSource("kernel", kernel),)))


def test_the_story_holds_and_tells_no_secret(cloud: Cloud) -> None:
    # Given in a file, since a command line is for everybody to read.
    secrets = cloud.state / "secrets.json"
    secrets.write_text(json.dumps({"secret": SECRET}))
    done = cloud.run("ansible-playbook", "-vvv", "--diff", str(STORY), "-e", f"@{secrets}")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert cloud.token not in done.stdout + done.stderr


def test_the_inventory_shows_what_the_story_left(cloud: Cloud, tmp_path: Path) -> None:
    shown = []
    for name, source in (("service", f"url: {cloud.url}"), ("store", f"database: {cloud.state / 'minicloud.db'}")):
        file = tmp_path / f"{name}.minicloud.yml"
        file.write_text(f"plugin: minicloud.libvirt.minicloud\n{source}\n")
        done = cloud.run("ansible-inventory", "-i", str(file), "--list")
        assert done.returncode == 0, done.stderr
        shown.append(json.loads(done.stdout))
    assert shown[0] == shown[1]
    assert shown[0]["hypervisors"]["hosts"] == ["node1", "node2"]
    assert shown[0]["vms"]["hosts"] == ["web02"]
