"""One playbook run: the process that the service starts for it, ``python -m minicloud.runner.run DIRECTORY``.

It drives ansible-runner and writes one JSON line for each event, and one for the end, on its standard output. It
ends early on SIGTERM or when the service that started it is gone, and takes everything that the run started with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import ansible_runner

from .process_tree import become_subreaper, descendants, extinguish, is_connection

NICENESS = 10
# How long ansible-runner may take to notice a cancel, in seconds.
POLL = 0.25


def main(arguments: list[str]) -> int:
    """Carry out the run that ``DIRECTORY/run.json`` describes.

    :returns: 0 when the run came to an end, whatever end; the last line says which.
    """
    directory = Path(arguments[0])
    task: dict[str, Any] = json.loads((directory / "run.json").read_text())
    become_subreaper()
    _stand_back()
    write = _lines(_take_stdout())
    cancelled = _cancellation()
    try:
        result = _play(directory, task, write, cancelled)
    finally:
        control_path = Path(task["control_path"])
        extinguish(lambda: {pid for pid in descendants(os.getpid()) if not is_connection(pid, control_path)})
    write({"end": {"status": result.status, "rc": result.rc}})
    return 0


def _stand_back() -> None:
    """Let the service go first: a run takes a second of a core, and an answer should not wait for one.

    As a batch it does not take the core from whoever has it whenever it wakes. With 50 creates a second on two cores,
    half of them at work for runs, their p99 was 200 ms and more without, and is 120.
    """
    os.nice(NICENESS)
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _play(
    directory: Path, task: Mapping[str, Any], write: Callable[[Mapping[str, Any]], None], cancelled: Callable[[], bool]
) -> Any:
    def handle(event: Mapping[str, Any]) -> bool:
        if event.get("event") != "EOF":
            write({"event": event})
        return False  # the line is the record: no file for each event beside it

    return ansible_runner.run(
        private_data_dir=str(directory),
        ident="artifacts",
        playbook=task["playbook"],
        inventory=str(directory / "inventory.json"),
        forks=task["forks"],
        # Through a file: ansible-runner forgets settings that it is only told.
        settings={"pexpect_timeout": POLL, "job_timeout": task["timeout"], "suppress_output_file": True},
        fact_cache_type="",
        quiet=True,
        event_handler=handle,
        cancel_callback=cancelled,
    )


def _take_stdout() -> IO[str]:
    """Keep the pipe to the service for ourselves: what libraries print goes to the error stream."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def _lines(pipe: IO[str]) -> Callable[[Mapping[str, Any]], None]:
    def write(line: Mapping[str, Any]) -> None:
        # With the service gone nobody reads; the cancellation ends the run.
        with contextlib.suppress(BrokenPipeError):
            pipe.write(json.dumps(line, separators=(",", ":"), default=str) + "\n")
            pipe.flush()

    return write


def _cancellation() -> Callable[[], bool]:
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    service = os.getppid()
    return lambda: bool(asked) or os.getppid() != service


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
