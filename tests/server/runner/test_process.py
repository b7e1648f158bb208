"""A run's process: heard as it speaks, gone when it is told to, with all that it started."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from minicloud.runner import process_tree
from minicloud.runner.batch import Batch
from minicloud.runner.directory import RunDirectory
from minicloud.runner.environment import collections_path, configuration, environment
from minicloud.runner.inventory import inventory
from minicloud.runner.process import RunProcess

from tests.server.runner import playbooks
from tests.server.runner.claims import claim

pytestmark = pytest.mark.slow

Start = Callable[..., RunProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a run of given tasks for one order."""
    started = []

    def start(tasks: str, *, timeout: int = 60, environ: dict[str, str] | None = None) -> RunProcess:
        run = f"run-{os.getpid()}-{time.monotonic_ns()}"
        control_path = tmp_path / "cp"
        directory = RunDirectory.create(
            tmp_path / "runs",
            run,
            inventory=inventory(Batch("create_vm.yml", (claim(),)), run, control_interpreter=sys.executable),
            task={
                "playbook": str(playbooks.write(tmp_path / "plays", tasks)),
                "forks": 1,
                "timeout": timeout,
                "control_path": str(control_path),
            },
            configuration=configuration(
                collections=collections_path(), control_path=control_path, known_hosts=tmp_path / "known_hosts"
            ),
        )
        variables = environment(run, directory.path) if environ is None else environ
        process = RunProcess(directory, variables, control_path=control_path)
        started.append(process)
        return process

    yield start
    for process in started:
        process.destroy()


def read(process: RunProcess, *, until: str = "", seconds: float = 30) -> list[dict[str, Any]]:
    """Lines until the task named begins, or to the end."""
    lines: list[dict[str, Any]] = []
    deadline = time.monotonic() + seconds
    while not process.ended:
        assert time.monotonic() < deadline, lines
        lines += process.read(0.1)
        if until and any((line.get("event", {}).get("event_data") or {}).get("task") == until for line in lines):
            break
    return lines


def relatives(process: RunProcess) -> set[int]:
    return process_tree.members(process.directory.run) | process_tree.descendants(process.pid)


def wait_for(found: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def sleepers(pids: set[int]) -> set[int]:
    return {pid for pid in pids if b"sleep\x00300" in process_tree._read(pid, "cmdline")}


def test_events_come_while_the_run_goes_on(start: Start) -> None:
    process = start(playbooks.SLOW)
    read(process, until="Work")
    heard = time.monotonic()
    rest = read(process)
    assert time.monotonic() - heard > 1
    assert rest[-1] == {"end": {"status": "successful", "rc": 0}}
    (answer,) = [line["event"] for line in rest if line.get("event", {}).get("event") == "runner_on_ok"][1:]
    assert answer["event_data"]["res"]["results"][0]["operation"] == "op-1"


def test_a_run_leaves_nothing_behind(start: Start) -> None:
    process = start(playbooks.ANSWER)
    read(process)
    assert process.destroy() == set()
    assert relatives(process) == set()


def test_a_run_that_is_told_to_end_does_so_and_says_so(start: Start) -> None:
    process = start(playbooks.HANG)
    read(process, until="Hang")
    wait_for(lambda: bool(sleepers(relatives(process))))
    begun = time.monotonic()
    process.terminate()
    assert read(process)[-1]["end"]["status"] == "canceled"
    assert time.monotonic() - begun < 4
    assert process.destroy() == set()
    assert relatives(process) == set()


def test_a_child_that_left_session_group_and_environment_goes_with_its_run(start: Start) -> None:
    process = start(playbooks.ESCAPE)
    wait_for(lambda: len(sleepers(relatives(process))) == 2)
    everybody = relatives(process)
    assert process.destroy() == set()
    wait_for(lambda: all(map(gone, everybody)))


def test_a_run_told_to_end_takes_its_escaped_child_by_itself(start: Start) -> None:
    process = start(playbooks.ESCAPE)
    wait_for(lambda: len(sleepers(relatives(process))) == 2)
    everybody = relatives(process)
    process.terminate()
    read(process)
    wait_for(lambda: all(map(gone, everybody)))


def test_a_run_that_takes_too_long_is_ended(start: Start) -> None:
    process = start(playbooks.HANG, timeout=1)
    assert read(process)[-1]["end"]["status"] == "timeout"
    assert process.destroy() == set()
    assert relatives(process) == set()


def test_a_run_whose_process_is_killed_ends_without_an_end(start: Start) -> None:
    process = start(playbooks.HANG)
    read(process, until="Hang")
    wait_for(lambda: bool(sleepers(relatives(process))))
    os.kill(process.pid, signal.SIGKILL)
    assert not any("end" in line for line in read(process))
    assert process.destroy() == set()
    assert relatives(process) == set()


def test_a_run_ends_when_its_service_is_gone(tmp_path: Path, start: Start) -> None:
    """The service is another process here, killed without a chance to tell anybody."""
    process = start(playbooks.HANG)  # for its directory alone: the same run is begun again below
    process.destroy()
    read_end, write_end = os.pipe()
    service = os.fork()
    if service == 0:
        child = RunProcess(
            process.directory, environment(process.directory.run, process.directory.path), control_path=tmp_path
        )
        os.write(write_end, str(child.pid).encode())
        read(child)
        os._exit(0)
    run = int(os.read(read_end, 16))
    wait_for(lambda: bool(sleepers(process_tree.members(process.directory.run))), 20)
    os.kill(service, signal.SIGKILL)
    os.waitpid(service, 0)
    wait_for(lambda: not process_tree.members(process.directory.run))
    wait_for(lambda: gone(run))


def test_what_is_no_line_of_a_run_is_refused(start: Start) -> None:
    process = start(playbooks.ANSWER)
    process._rest = b"Segmentation fault"
    with pytest.raises(ValueError, match="Expecting value"):
        read(process)


def test_last_words_are_kept(start: Start) -> None:
    process = start(playbooks.ANSWER, environ={"PATH": "/nonexistent"})
    lines = read(process)
    assert lines[-1]["end"]["status"] == "failed" or "Error" in process.directory.last_words()
