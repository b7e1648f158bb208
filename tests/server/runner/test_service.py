"""The runner, from the queue to the settled operation and an empty machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from minicloud.services import operation
from minicloud.store import operation as operation_rows

from tests.server.runner import playbooks
from tests.server.runner.conftest import StartRunner, Works
from tests.server.world import ADMIN

pytestmark = pytest.mark.slow


def run_process(works: Works) -> int:
    """The process of the only run."""
    for pid in works.processes:
        if b"minicloud.runner.run" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("there is no run")


def await_gone(works: Works, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while works.directories or works.processes:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_operation_is_carried_out_and_its_log_kept(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.ANSWER)
    start_runner()
    begun = time.monotonic()
    name = works.create()
    done = works.await_state(name, "succeeded")
    assert time.monotonic() - begun < 10
    assert done.result is not None
    assert done.result["state"] == "running"
    assert works.world.vm().status == "running"
    kinds = [entry.kind for entry in works.log(name)]
    assert [kind for kind in kinds if kind in ("play", "task", "result")] == ["play", "task", "result"]
    await_gone(works)


def test_log_entries_come_while_the_run_goes_on(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.SLOW)
    start_runner()
    name = works.create()
    works.await_task(name, "Work")
    assert works.operation(name).state == "running"
    works.await_state(name, "succeeded")


def test_one_run_for_all_that_waits_and_each_has_its_own_fate(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.ANSWER, bad="102")
    names = [works.create(f"web{number}") for number in (1, 2, 3)]
    start_runner()
    first, third = works.await_state(names[0], "succeeded"), works.await_state(names[2], "succeeded")
    second = works.await_retry(names[1])
    assert first.run == second.run == third.run
    assert second.error is not None
    assert second.error["message"] == "no such network"


def test_a_host_that_cannot_be_reached_is_said_to_be(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.ANSWER, connection="ssh")
    name = works.create()
    start_runner()
    tried = works.await_retry(name)
    assert tried.error is not None
    assert tried.error["code"] == "minicloud.host.unreachable"
    # ssh's own words ("Connection refused") are lost when it is gone before Ansible has spoken to it.
    assert "127.0.0.1" in tried.error["message"]
    await_gone(works)


def test_a_task_that_fails_is_tried_again(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.FAIL)
    name = works.create()
    start_runner()
    tried = works.await_retry(name)
    assert tried.error is not None
    assert "the task 'Fail' failed on" in tried.error["message"]


def test_a_run_that_says_nothing_of_an_operation_is_no_success(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.SILENT)
    name = works.create()
    start_runner()
    tried = works.await_retry(name)
    assert tried.error is not None
    assert "without saying" in tried.error["message"]


def test_a_missing_playbook_is_named(works: Works, start_runner: StartRunner) -> None:
    name = works.create()
    start_runner()
    tried = works.await_retry(name)
    assert tried.error is not None
    assert "create_vm.yml" in tried.error["message"]


def test_cancelling_ends_the_run_at_once(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.ESCAPE)
    start_runner()
    name = works.create()
    works.await_task(name, "Leave a child behind")
    begun = time.monotonic()
    operation.cancel(works.context, ADMIN, name)
    works.await_state(name, "cancelled")
    await_gone(works)
    assert time.monotonic() - begun < 6


def test_a_run_whose_operation_was_taken_over_ends_and_writes_nothing(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.HANG)
    start_runner()
    name = works.create()
    works.await_task(name, "Hang")
    with works.context.store.write() as session:
        row = operation_rows.find(session, name)
        assert row is not None
        row.lease_owner, row.epoch = "another", (row.epoch or 0) + 1
    await_gone(works)
    taken = works.operation(name)
    assert (taken.state, taken.lease_owner, taken.error) == ("running", "another", None)


def test_leases_are_kept_while_a_run_goes_on(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.HANG)
    start_runner()
    name = works.create()
    works.await_task(name, "Hang")
    deadline = time.monotonic() + works.settings.lease_seconds + 1
    while time.monotonic() < deadline:
        assert operation.expire(works.context) == 0
        time.sleep(0.2)
    assert works.operation(name).tries == 1


def test_a_run_that_is_killed_is_tried_again(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.HANG)
    start_runner()
    name = works.create()
    works.await_task(name, "Hang")
    os.kill(run_process(works), signal.SIGKILL)
    tried = works.await_retry(name)
    assert tried.error is not None
    assert "process died" in tried.error["message"]


def test_a_run_under_way_does_not_delay_the_next_request(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.HANG)
    start_runner()
    hanging = works.create("web01")
    works.await_task(hanging, "Hang")
    works.playbook(playbooks.ANSWER)
    works.await_state(works.create("web02"), "succeeded", seconds=10)
    assert works.operation(hanging).state == "running"


def test_stopping_gives_back_what_is_not_done(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.HANG)
    runner = start_runner()
    name = works.create()
    works.await_task(name, "Hang")
    begun = time.monotonic()
    runner.stop(0.5)
    assert time.monotonic() - begun < 8
    left = works.operation(name)
    assert left.state == "queued"
    assert left.error is not None
    assert "the service stops" in left.error["message"]
    assert not runner.healthy
    await_gone(works, 0)


def test_stopping_lets_what_is_nearly_done_be_done(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.SLOW)
    runner = start_runner()
    name = works.create()
    works.await_task(name, "Work")
    runner.stop(15)
    assert works.operation(name).state == "succeeded"


_SERVICE = """
import sys, time
from pathlib import Path
from minicloud.runner.service import Runner
from minicloud.services.context import Context
from minicloud.settings import Settings
from minicloud.store import tables
from minicloud.store.store import open_store

settings = Settings(state_dir=Path(sys.argv[1]), playbooks=Path(sys.argv[2]), lease_seconds=600)
Runner(Context(open_store(settings.database_url), settings, b"k" * 32), settings).start()
time.sleep(600)
"""


def test_a_service_that_was_killed_finishes_after_its_restart(works: Works, start_runner: StartRunner) -> None:
    """Its lease would have held for ten minutes: the runs of the earlier life are known for ours and given back."""
    works.playbook(playbooks.ESCAPE)
    name = works.create()
    command = [sys.executable, "-c", _SERVICE, str(works.settings.state_dir), str(works.settings.playbooks_dir)]
    with subprocess.Popen(command) as service:
        try:
            works.await_task(name, "Leave a child behind")
            left = works.processes
        finally:
            service.kill()
    works.playbook(playbooks.ANSWER)
    start_runner()
    done = works.await_state(name, "succeeded")
    assert done.tries == 2
    await_gone(works)
    assert not any(Path(f"/proc/{pid}").exists() for pid in left)


def test_nothing_is_begun_when_the_disk_takes_no_run(works: Works, start_runner: StartRunner) -> None:
    works.playbook(playbooks.ANSWER)
    works.settings.runs_dir.parent.mkdir(parents=True, exist_ok=True)
    works.settings.runs_dir.write_text("not a folder")
    name = works.create()
    runner = start_runner()
    deadline = time.monotonic() + 10
    while not any("cannot be written" in reason["message"] for reason in works.operation(name).reasons):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    left = works.operation(name)
    assert (left.state, left.tries) == ("queued", 0)
    assert runner.healthy
