"""Processes of a run are found and ended, however they tried to get away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from minicloud.runner import process_tree

# A child that changes its session, forgets its environment and lets its parent die.
ESCAPE = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(60)"], {})
"""
ADOPTER = f"""
import subprocess, sys, time
from minicloud.runner.process_tree import become_subreaper
become_subreaper()
subprocess.run([sys.executable, "-c", {ESCAPE!r}], check=True)
print("ready", flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.fixture
def adopter() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", ADOPTER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_an_escaped_orphan_stays_a_descendant(adopter: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 5
    while not (found := process_tree.descendants(adopter.pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    (orphan,) = found
    assert os.getsid(orphan) != os.getsid(adopter.pid)
    assert process_tree.extinguish(lambda: process_tree.descendants(adopter.pid)) == set()
    assert not alive(orphan)
    assert alive(adopter.pid)


def test_members_are_known_by_their_environment() -> None:
    environment = {**os.environ, process_tree.RUN_VARIABLE: "run-tests-1"}
    command = [sys.executable, "-c", r"import os; os.setsid(); os.fork(); os.write(1, b'ready\n'); os.read(0, 1)"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _line in range(2)] == [b"ready\n"] * 2
        assert len(process_tree.members("run-tests-1")) == 2
        assert process_tree.members("run-tests") == set()
        assert process_tree.extinguish(lambda: process_tree.members("run-tests-1")) == set()
        assert process.wait() == -signal.SIGKILL
    assert process_tree.members("run-tests-1") == set()


def test_a_number_that_names_another_process_by_now_is_not_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = process_tree.start_time(process.pid)
        assert started is not None
        process_tree.kill(process.pid, signal.SIGKILL, started=started - 1)
        assert process.poll() is None
        process_tree.kill(process.pid, signal.SIGKILL, started=started)
        assert process.wait() == -signal.SIGKILL
    process_tree.kill(process.pid, signal.SIGKILL, started=started)
    assert process_tree.start_time(process.pid) is None


def test_what_will_not_go_is_named() -> None:
    begun = time.monotonic()
    assert process_tree.extinguish(lambda: {2**22 + 1}, timeout=0.1) == {2**22 + 1}
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("title", "ours"),
    [
        ("ssh: {0}/1a2b3c [mux]", True),
        ("ssh: {0}/1a2b3c [priv]", False),
        ("ssh: {0}-of-others/1a2b3c [mux]", False),
        ("ssh -o ControlPath={0}/1a2b3c node1", False),
    ],
)
def test_only_a_shared_connection_of_ours_outlives_a_run(tmp_path: Path, title: str, ours: bool) -> None:
    """OpenSSH shows itself so; here another program does under its name."""
    command = ["bash", "-c", f"exec -a '{title.format(tmp_path)}' cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"x\n"  # bash has become cat by now
        assert process_tree.is_connection(process.pid, tmp_path) is ours
