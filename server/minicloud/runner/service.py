"""The runner: claims operations under a lease and has playbook runs carry them out."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from minicloud_core.model.errors import LeaseLostError

from minicloud.services import operation as operations
from minicloud.services.context import Context
from minicloud.services.view.operation import Claim, Outcome
from minicloud.settings import Settings

from . import orphan, process_tree
from .batch import Batch, group
from .directory import RunDirectory, sweep
from .environment import collections_path, configuration, control_path_dir, environment, make_control_path_dir
from .inventory import inventory
from .process import RunProcess
from .record import write_claims
from .supervision import Supervision

# Claims in one go; operations in one run are bounded by it, and with them a result's size.
_CLAIM_AT_MOST = 64
# Claims in one transaction: SQLite has one writer, and whoever asks for a VM waits for it meanwhile.
_CLAIM_STEP = 16
_POLL = 1.0
_TROUBLE = 5.0
# A run that goes on for longer waits rather than works, and no longer holds its slot; but only so many at once do.
_PATIENT_AFTER = 3.0
_RUNS_A_SLOT = 4
_SWEEP_EVERY = 600.0
# A burst of hints makes one look.
_BURST = 0.2
_FORKS_AT_MOST = 16

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RunnerStatus:
    """What the runner is at: its lease owner's name, runs under way and operations in them."""

    healthy: bool
    owner: str
    runs: int
    operations: int


class Runner:
    """Claims what is there as soon as a slot is free, one run for each playbook, and takes the next batch meanwhile.

    A claim may bring one run for each playbook, so ``run_slots`` bounds when to claim rather than the runs exactly.
    """

    def __init__(self, context: Context, settings: Settings) -> None:
        self._context = context
        self._settings = settings
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._control_path = control_path_dir(settings.state_dir)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._runs: dict[str, Supervision] = {}
        self._followers: dict[str, threading.Thread] = {}
        self._threads: list[threading.Thread] = []
        self._swept = 0.0

    def start(self) -> None:
        """Clear up after an earlier life, then begin to claim.

        :raises PermissionError: when the directory of SSH sockets is somebody else's.
        """
        make_control_path_dir(self._control_path)
        self._settings.ssh_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for run in orphan.clear(self._context, self._settings.runs_dir, self._control_path):
            _log.warning("run.orphan_ended", run=run)
        for name, body in (("runner-claim", self._claim_forever), ("runner-lease", self._renew_forever)):
            thread = threading.Thread(target=body, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, timeout: float) -> None:
        """Claim nothing more, give runs under way ``timeout`` seconds, then end them and queue their work again.

        Shared SSH connections are closed.
        """
        self._stop.set()
        self._context.hints.wake("operations")
        self._join_followers(time.monotonic() + timeout)
        with self._lock:
            runs = list(self._runs.values())
        for run in runs:
            run.stop("the service stops")
        self._join_followers(time.monotonic() + 15)
        for thread in self._threads:
            thread.join(2)
        process_tree.extinguish(lambda: process_tree.connections(self._control_path))
        shutil.rmtree(self._control_path, ignore_errors=True)

    @property
    def healthy(self) -> bool:
        return not self._stop.is_set() and all(thread.is_alive() for thread in self._threads)

    def status(self) -> RunnerStatus:
        with self._lock:
            runs = list(self._runs.values())
        return RunnerStatus(self.healthy, self.owner, len(runs), sum(len(run.open()) for run in runs))

    # -- claiming

    def _claim_forever(self) -> None:
        hints = self._context.hints
        while not self._stop.is_set():
            mark = hints.mark("operations")
            claimed = 0
            try:
                claimed = self._claim_once() if self._slot_is_free() else 0
                self._sweep()
            except Exception:
                _log.exception("runner.claim_failed")
                self._stop.wait(_POLL)
            if not claimed:
                hints.wait("operations", _POLL, since=mark)

    def _slot_is_free(self) -> bool:
        now = time.monotonic()
        with self._lock:
            ages = [now - run.started for run in self._runs.values() if run.open()]
        slots = self._settings.run_slots
        return len(ages) < slots * _RUNS_A_SLOT and sum(age < _PATIENT_AFTER for age in ages) < slots

    def _claim_once(self) -> int:
        claims = self._claim_in_steps()
        for batch in group(claims):
            self._begin(batch, f"run-{secrets.token_hex(10)}")
        return len(claims)

    def _claim_in_steps(self) -> tuple[Claim, ...]:
        claims: tuple[Claim, ...] = ()
        while len(claims) < _CLAIM_AT_MOST:
            step = operations.claim(self._context, self.owner, _CLAIM_STEP, self._settings.lease_seconds)
            claims += step
            if len(step) < _CLAIM_STEP:
                break
        return claims

    def _begin(self, batch: Batch, run: str) -> None:
        try:
            directory = self._directory(run, batch)
        except OSError as error:
            self._release(batch, f"the run's directory cannot be written: {error}")
            return
        kept = self._started(batch, run)
        if kept.claims != batch.claims:
            # Whoever took an operation over must not find us at work on it: its orders go from the directory too.
            directory.remove()
            if kept.claims:
                self._begin(kept, run)
            return
        try:
            process = RunProcess(directory, environment(run, directory.path), control_path=self._control_path)
        except OSError as error:
            directory.remove()
            self._fail(batch, f"the run's process cannot be started: {error}")
            return
        supervision = Supervision(self._context, batch, process)
        follower = threading.Thread(target=self._follow, args=(supervision,), name=run, daemon=True)
        with self._lock:
            self._runs[run] = supervision
            self._followers[run] = follower
        follower.start()

    def _directory(self, run: str, batch: Batch) -> RunDirectory:
        task = {
            "playbook": str(self._settings.playbooks_dir / batch.playbook),
            "forks": min(_FORKS_AT_MOST, len(batch.by_host())),
            "timeout": int(batch.timeout),
            "control_path": str(self._control_path),
        }
        directory = RunDirectory.create(
            self._settings.runs_dir,
            run,
            inventory=inventory(batch, run, control_interpreter=sys.executable),
            task=task,
            configuration=configuration(
                collections=collections_path(),
                control_path=self._control_path,
                known_hosts=self._settings.ssh_dir / "known_hosts",
            ),
        )
        write_claims(directory, batch.claims)
        return directory

    def _started(self, batch: Batch, run: str) -> Batch:
        """Note the run at its operations.

        :returns: the batch without operations that somebody else took over in the meantime.
        """
        kept = operations.started(self._context, batch.claims, run)
        for claim in batch.claims:
            if claim not in kept:
                _log.info("operation.lease_lost", operation=claim.operation)
        return Batch(batch.playbook, kept)

    def _follow(self, supervision: Supervision) -> None:
        try:
            supervision.follow()
        except Exception:
            # Its leases run out, and somebody claims its operations again.
            _log.exception("run.not_followed", run=supervision.run)
        finally:
            with self._lock:
                self._runs.pop(supervision.run, None)
                self._followers.pop(supervision.run, None)
            self._context.hints.wake("operations")

    def _release(self, batch: Batch, reason: str) -> None:
        """Give claims back that no run began, and claim nothing for a while: what is wrong here concerns all."""
        _log.error("run.not_begun", playbook=batch.playbook, reason=reason)
        for claim in batch.claims:
            with suppress(LeaseLostError):
                operations.release(self._context, claim, reason)
        self._stop.wait(_TROUBLE)

    def _fail(self, batch: Batch, reason: str) -> None:
        _log.error("run.not_begun", playbook=batch.playbook, reason=reason)
        failed = Outcome.failed({"code": "minicloud.run.failed", "message": reason}, retry=True)
        operations.finish_all(self._context, [(claim, failed) for claim in batch.claims])

    # -- leases

    def _renew_forever(self) -> None:
        """Renew every third of a lease; a cancel wakes the topic, and is looked for in between."""
        every = self._settings.lease_seconds / 3
        due = time.monotonic() + every
        while True:
            with self._lock:
                runs = list(self._runs.values())
            if self._stop.is_set() and not runs:
                return
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + every
                    self._renew_once(runs)
                else:
                    self._look_for_cancels(runs)
            except Exception:
                _log.exception("runner.renew_failed")
            self._context.hints.wait("operations", max(0.0, due - time.monotonic()))
            self._stop.wait(_BURST)

    def _renew_once(self, runs: list[Supervision]) -> None:
        claims = _open_claims(runs)
        if not claims:
            return
        renewal = operations.renew(self._context, claims, self._settings.lease_seconds)
        for run in runs:
            run.lose(renewal.lost)
            run.cancel(renewal.cancelled)

    def _look_for_cancels(self, runs: list[Supervision]) -> None:
        claims = _open_claims(runs)
        cancelled = operations.cancelled(self._context, claims) if claims else ()
        for run in runs:
            run.cancel(cancelled)

    # -- housekeeping

    def _join_followers(self, deadline: float) -> None:
        with self._lock:
            followers = list(self._followers.values())
        for follower in followers:
            follower.join(max(0.0, deadline - time.monotonic()))

    def _sweep(self) -> None:
        if time.monotonic() - self._swept < _SWEEP_EVERY:
            return
        self._swept = time.monotonic()
        with self._lock:
            keep = frozenset(self._runs)
        sweep(self._settings.runs_dir, keep=keep)


def _open_claims(runs: Iterable[Supervision]) -> list[Claim]:
    return [claim for run in runs for claim in run.open()]
