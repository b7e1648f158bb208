"""Jobs that wait for one another take a turn together: who comes first does the work of all who wait behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Final, Generic, Protocol, TypeVar

from minicloud_core.model.errors import MinicloudError, UnavailableError

# Jobs in one turn: bounds how long others wait for the database's one writer.
AT_MOST: Final = 32


class Job(Protocol):
    """What may share a turn."""

    @property
    def keys(self) -> frozenset[Hashable]:
        """What two jobs of one turn must not have in common: each would have to see what the other did."""


One = TypeVar("One", bound=Job)
Answer = TypeVar("Answer")

# Carries out jobs, all or none: an answer or its own error for each.
Work = Callable[[Sequence[One]], "Sequence[Answer | MinicloudError]"]


class Turns(Generic[One, Answer]):
    """A line of jobs. Nobody waits for company: a turn takes whoever has come while the one before went on."""

    def __init__(self, at_most: int = AT_MOST) -> None:
        self._at_most = at_most
        self._waiting: deque[tuple[One, Future[Answer]]] = deque()
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    @property
    def waiting(self) -> int:
        """Jobs that no turn has taken yet."""
        with self._lock:
            return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a turn is under way."""
        return self._turn.locked()

    def take(self, job: One, work: Work[One, Answer]) -> Answer:
        """Have a job done, by this thread or by another that is there already.

        :param work: what to do with the jobs of a turn; the same for all.
        :raises MinicloudError: the job's own error.
        """
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting.append((job, future))
        with self._turn:
            while not future.done():
                self._carry_out(self._next(), work)
        return future.result()

    def _next(self) -> list[tuple[One, Future[Answer]]]:
        """The jobs of the next turn; those that have a key in common with an earlier one stay in line."""
        taken: list[tuple[One, Future[Answer]]] = []
        left: deque[tuple[One, Future[Answer]]] = deque()
        keys: set[Hashable] = set()
        with self._lock:
            for job, future in self._waiting:
                if len(taken) < self._at_most and keys.isdisjoint(job.keys):
                    taken.append((job, future))
                else:
                    left.append((job, future))
                keys |= job.keys
            self._waiting = left
        return taken

    def _carry_out(self, taken: Sequence[tuple[One, Future[Answer]]], work: Work[One, Answer]) -> None:
        try:
            answers = work([job for job, _future in taken])
        except BaseException as error:
            self._fail(taken, work, error)
            return
        for (_job, future), answer in zip(taken, answers, strict=True):
            if isinstance(answer, MinicloudError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _fail(self, taken: Sequence[tuple[One, Future[Answer]]], work: Work[One, Answer], error: BaseException) -> None:
        """None was done. One that stands in the others' way is found by trying each by itself."""
        if len(taken) == 1 or isinstance(error, UnavailableError) or not isinstance(error, Exception):
            for _job, future in taken:
                future.set_exception(error)
            return
        for one in taken:
            self._carry_out([one], work)
