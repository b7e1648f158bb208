"""The processes that belong to a run, found in /proc, however they tried to get away.

A run's children change their process group and session (Ansible's workers do, and so may anything that a task
starts), so a group kill does not reach them all. Two marks do: the run's process adopts orphans (it is a subreaper), so
that they stay its descendants; and the run's name is in the environment that they inherit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

RUN_VARIABLE = "MINICLOUD_RUN"

_PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """Make orphaned descendants children of this process instead of process 1's.

    :raises OSError: when the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot adopt its orphaned descendants")


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; with the pid it names one process for ever.

    :returns: None when there is no such process.
    """
    fields = _stat(pid)
    return None if fields is None else int(fields[19])


def descendants(root: int) -> set[int]:
    """All living processes below ``root``, without itself; zombies do not count."""
    children: dict[int, list[int]] = defaultdict(list)
    zombies: set[int] = set()
    for pid in _pids():
        fields = _stat(pid)
        if fields is not None:
            children[int(fields[1])].append(pid)
            if fields[0] in "ZX":
                zombies.add(pid)
    found: set[int] = set()
    pending = [root]
    while pending:
        below = children.get(pending.pop(), [])
        found.update(below)
        pending.extend(below)
    return found - zombies


def members(run: str) -> set[int]:
    """All living processes that carry the run's name in their environment."""
    needle = f"{RUN_VARIABLE}={run}".encode()
    return {pid for pid in _pids() if needle in _environment(pid)}


def runs() -> dict[str, set[int]]:
    """All living processes that carry any run's name, by run."""
    prefix = f"{RUN_VARIABLE}=".encode()
    found: dict[str, set[int]] = defaultdict(set)
    for pid in _pids():
        for variable in _environment(pid):
            if variable.startswith(prefix):
                found[variable[len(prefix) :].decode(errors="replace")].add(pid)
    return dict(found)


def is_connection(pid: int, control_path: Path) -> bool:
    """Whether a process is a shared SSH connection kept under ``control_path``: those outlive the run that opened them.

    OpenSSH renames itself to ``ssh: PATH [mux]`` once it has become one.
    """
    title = _read(pid, "cmdline").replace(b"\0", b" ").strip()
    return title.startswith(f"ssh: {control_path}/".encode()) and title.endswith(b"[mux]")


def connections(control_path: Path) -> set[int]:
    """All shared SSH connections kept under ``control_path``."""
    return {pid for pid in _pids() if is_connection(pid, control_path)}


def kill(pid: int, number: signal.Signals, *, started: int | None = None) -> None:
    """Signal a process, unless it has gone or its number names another one by now.

    :param started: its :func:`start_time`; None signals whoever has the number.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # Asked once the process is held by a descriptor, so that the answer and the signal concern the same one.
        if started is None or start_time(pid) == started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def extinguish(find: Callable[[], Iterable[int]], *, timeout: float = 5.0) -> set[int]:
    """Kill what ``find`` finds, and again, until it finds nothing: a process may fork between look and kill.

    :returns: pids that were still there after ``timeout`` seconds (in uninterruptible sleep, for one).
    """
    deadline = time.monotonic() + timeout
    while True:
        left = {pid: start_time(pid) for pid in find()}
        if not left or time.monotonic() > deadline:
            return set(left)
        for pid, started in left.items():
            kill(pid, signal.SIGKILL, started=started)
        time.sleep(0.02)


def _pids() -> list[int]:
    return [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[str] | None:
    """Fields of ``/proc/PID/stat`` from the state on; the command before it may contain blanks and brackets."""
    text = _read(pid, "stat").decode(errors="replace")
    return text.rpartition(")")[2].split() if text else None


def _environment(pid: int) -> list[bytes]:
    return _read(pid, "environ").split(b"\0")
