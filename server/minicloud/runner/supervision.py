"""One run from its start to its last settled operation."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from minicloud_core.model.errors import MinicloudError, UnavailableError

from minicloud.services import operation as operations
from minicloud.services.context import Context
from minicloud.services.view.operation import Claim, Entry, Outcome

from .batch import Batch
from .process import RunProcess
from .verdict import Tally, ended_without_result, entries_of, words_of

# Seconds: how long entries wait for company, how long a cancelled operation's companions may still take, how long a
# run may take to end by itself once it was told to.
_FLUSH = 0.1
_COMPANY = 10.0
_FAREWELL = 4.0
# While the database is away: log entries kept for each operation, pauses between tries to settle one.
_KEPT_BACK = 1000
_WORDS = 2000
_PATIENCE = (0.5, 1.0, 2.0, 4.0)

_log = structlog.get_logger(__name__)


class Supervision:
    """Follows a run: appends its events as they come, settles operations as their results come, ends it when it must.

    :meth:`follow` runs in a thread of its own; :meth:`lose`, :meth:`cancel` and :meth:`stop` may come from any other.
    """

    def __init__(self, context: Context, batch: Batch, process: RunProcess) -> None:
        self._context = context
        self._process = process
        self._tally = Tally(batch)
        self._claims = {claim.operation: claim for claim in batch.claims}
        self._pending: dict[str, list[Entry]] = defaultdict(list)
        self._flushed = self.started = time.monotonic()
        self._deadline = self.started + batch.timeout
        self._lock = threading.Lock()
        self._lost: set[str] = set()
        self._cancelled: dict[str, float] = {}
        self._stopped = ""
        self._terminated: float | None = None
        self._status, self._rc = "crashed", None
        self._words = ""

    @property
    def run(self) -> str:
        return self._process.directory.run

    def open(self) -> tuple[Claim, ...]:
        """Claims whose leases still need to be renewed."""
        return self._tally.open

    def lose(self, operations_lost: Iterable[str]) -> None:
        """These operations are another run's by now: write nothing more for them."""
        with self._lock:
            self._lost.update(set(operations_lost) & set(self._claims))

    def cancel(self, operations_cancelled: Iterable[str]) -> None:
        """Somebody asked to cancel these; asking again changes nothing."""
        with self._lock:
            for name in set(operations_cancelled) & set(self._claims):
                self._cancelled.setdefault(name, time.monotonic())

    def stop(self, reason: str) -> None:
        """End the run now; what is open is queued again."""
        with self._lock:
            self._stopped = self._stopped or reason

    def follow(self) -> None:
        """Stay with the run until it is over and nothing of it is left."""
        try:
            self._listen()
        except ValueError as error:
            _log.warning("run.garbled", run=self.run, error=str(error))
        finally:
            left = self._process.destroy()
            if left:
                _log.error("run.remains", run=self.run, pids=sorted(left))
        self._flush()
        self._settle(self._tally.close(self._ending()))
        self._process.directory.remove()

    def _listen(self) -> None:
        while not self._process.ended:
            for line in self._process.read(_FLUSH):
                self._take(line)
            if time.monotonic() - self._flushed >= _FLUSH:
                self._flush()
            self._drop_lost()
            self._end_if_due()
            if self._terminated is not None and time.monotonic() - self._terminated > _FAREWELL:
                return

    def _take(self, line: Mapping[str, Any]) -> None:
        if "end" in line:
            self._status, self._rc = str(line["end"].get("status")), line["end"].get("rc")
            return
        event = line.get("event") or {}
        self._words = (self._words + words_of(event))[-_WORDS:]
        for name, entry in entries_of(event, [claim.operation for claim in self._tally.open]).items():
            self._pending[name].append(entry)
        settled = self._tally.take(event)
        if settled:
            self._flush()
            self._settle(settled)

    def _flush(self) -> None:
        pending, self._pending = self._pending, defaultdict(list)
        self._flushed = time.monotonic()
        if not pending:
            return
        try:
            lost = operations.append(
                self._context, [(self._claims[name], entries) for name, entries in pending.items()]
            )
            self.lose(lost)
        except UnavailableError as error:
            _log.warning("run.log_kept_back", run=self.run, error=error.message)
            for name, entries in pending.items():
                self._pending[name] = entries[-_KEPT_BACK:]

    def _settle(self, settled: Iterable[tuple[Claim, Outcome]]) -> None:
        """Settle all at once; where one of them stands in the others' way, each by itself."""
        ends = [(claim, self._as_asked(claim, outcome)) for claim, outcome in settled]
        if not ends:
            return
        try:
            self._finish(ends)
        except MinicloudError as error:
            if len(ends) > 1 and not isinstance(error, UnavailableError):
                for end in ends:
                    self._settle([end])
                return
            # Their leases run out, and they are tried again: every order may be repeated.
            for claim, _outcome in ends:
                _log.error("operation.not_settled", operation=claim.operation, run=self.run, error=error.message)

    def _finish(self, ends: Sequence[tuple[Claim, Outcome]]) -> None:
        """Settle, in spite of a database that is away for a few seconds."""
        for pause in (*_PATIENCE, None):
            try:
                lost = operations.finish_all(self._context, ends)
            except UnavailableError as error:
                if pause is None:
                    raise
                _log.warning("operation.settling_again", run=self.run, error=error.message)
                time.sleep(pause)
            else:
                break
        for operation in lost:
            _log.info("operation.lease_lost", operation=operation, run=self.run)

    def _as_asked(self, claim: Claim, outcome: Outcome) -> Outcome:
        """An operation that was done before its cancellation came through is done."""
        if claim.operation in self._cancelled and outcome.kind != "succeeded":
            return Outcome.cancelled("cancelled while its run was under way")
        return outcome

    def _drop_lost(self) -> None:
        with self._lock:
            lost = set(self._lost)
        for name in lost:
            self._tally.drop(name)
            self._pending.pop(name, None)

    def _end_if_due(self) -> None:
        if self._terminated is None and self._why_end():
            _log.info("run.end", run=self.run, reason=self._why_end())
            self._terminated = time.monotonic()
            self._process.terminate()

    def _why_end(self) -> str:
        now = time.monotonic()
        if self._stopped:
            return self._stopped
        if now > self._deadline:
            return "the run took too long"
        return self._why_abandon(now)

    def _why_abandon(self, now: float) -> str:
        """Why a run that could go on should not: nobody wants any of it, or one of it was cancelled and has waited."""
        wanted = {claim.operation for claim in self._tally.open}
        with self._lock:
            cancelled = {name: since for name, since in self._cancelled.items() if name in wanted}
        if not wanted:
            return "all its operations were taken over" if self._lost else ""
        if wanted == set(cancelled):
            return "it was cancelled"
        if any(now - since > _COMPANY for since in cancelled.values()):
            return "an operation in it was cancelled"
        return ""

    def _ending(self) -> Outcome:
        with self._lock:
            stopped = self._stopped
        if self._terminated is None:
            words = self._words.strip() or self._process.directory.last_words()
            return ended_without_result(self._status, self._rc, words)
        status = "timeout" if time.monotonic() > self._deadline and not stopped else "canceled"
        return ended_without_result(status, self._rc, stopped)
