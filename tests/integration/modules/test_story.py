"""The modules as Ansible runs them, against a real service whose hands are idle."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.idle.cloud import idle_cloud
from tests.lab.service import COMMANDS, Service

STORY = Path(__file__).with_name("story.yml")
SECRET = "hunter2-of-the-story"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with idle_cloud(tmp_path_factory.mktemp("cloud") / "state", port=port, hosts=2) as service:
        yield service


def run(cloud: Service, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(COMMANDS / command[0]), *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        env=cloud.environment,
        cwd=STORY.parent,
        timeout=240,
    )


def test_the_story_holds_and_tells_no_secret(cloud: Service) -> None:
    done = run(cloud, "ansible-playbook", "-vvv", "--diff", str(STORY), "-e", f"secret={SECRET}")
    assert done.returncode == 0, done.stdout + done.stderr + cloud.tail()
    told = [line for line in done.stdout.splitlines() if SECRET in line and "ansible-playbook" not in line]
    assert told == []
    assert cloud.token not in done.stdout
    assert SECRET not in cloud.log.read_text()


def test_the_inventory_shows_what_the_story_left(cloud: Service, tmp_path: Path) -> None:
    shown = []
    for name, source in (("service", f"url: {cloud.url}"), ("store", f"database: {cloud.state / 'minicloud.db'}")):
        file = tmp_path / f"{name}.minicloud.yml"
        file.write_text(f"plugin: minicloud.libvirt.minicloud\n{source}\n")
        done = run(cloud, "ansible-inventory", "-i", str(file), "--list")
        assert done.returncode == 0, done.stderr
        shown.append(json.loads(done.stdout))
    assert shown[0] == shown[1]
    assert shown[0]["hypervisors"]["hosts"] == ["idle1", "idle2"]
    assert shown[0]["vms"]["hosts"] == ["web02"]
