"""Jobs that wait for one another take a turn together: who comes first does the work of all who wait behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from queue import SimpleQueue
from typing import Final, Generic, Protocol, TypeVar, cast

from minicloud_core.model.errors import MinicloudError, UnavailableError

# Jobs in one turn: bounds how long others wait for the database's one writer.
AT_MOST: Final = 32
# Where the last turn was shared, the next waits so many seconds for as many to come: less than a transaction takes.
_CROWD_WAIT: Final = 0.001


class Job(Protocol):
    """What may share a turn."""

    @property
    def keys(self) -> frozenset[Hashable]:
        """What two jobs of one turn must not have in common: each would have to see what the other did."""


One = TypeVar("One", bound=Job)
Answer = TypeVar("Answer")

# Carries out jobs, all or none: an answer or its own error for each.
Work = Callable[[Sequence[One]], "Sequence[Answer | MinicloudError]"]


class _Ticket(Generic[One, Answer]):
    """A job in line. Its thread sleeps until the job is done, or until it is its turn to lead.

    A queue wakes it for a tenth of what an event and a future of the standard library take to be made and set.
    """

    def __init__(self, job: One) -> None:
        self.job = job
        self.done = False
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._bell: SimpleQueue[None] = SimpleQueue()

    def wait(self) -> None:
        """Sleep until somebody rings."""
        self._bell.get()

    def ring(self) -> None:
        self._bell.put(None)

    def succeed(self, answer: Answer) -> None:
        self._answer, self.done = answer, True
        self.ring()

    def fail(self, error: BaseException) -> None:
        self._error, self.done = error, True
        self.ring()

    def result(self) -> Answer:
        """What became of the job, once it is done."""
        if self._error is not None:
            raise self._error
        return cast(Answer, self._answer)


class Turns(Generic[One, Answer]):
    """A line of jobs. A turn takes whoever has come while the one before went on. Alone, nobody waits for company."""

    def __init__(self, at_most: int = AT_MOST) -> None:
        self._at_most = at_most
        self._lock = threading.Lock()
        self._arrival = threading.Condition(self._lock)
        self._waiting: deque[_Ticket[One, Answer]] = deque()
        self._busy = False
        self._last = 0

    @property
    def waiting(self) -> int:
        """Jobs that no turn has taken yet."""
        with self._lock:
            return len(self._waiting)

    @property
    def busy(self) -> bool:
        """Whether a turn is under way."""
        return self._busy

    def take(self, job: One, work: Work[One, Answer]) -> Answer:
        """Have a job done, by this thread or by another that is there already.

        :param work: what to do with the jobs of a turn; the same for all.
        :raises MinicloudError: the job's own error.
        """
        ticket: _Ticket[One, Answer] = _Ticket(job)
        with self._lock:
            self._waiting.append(ticket)
            self._arrival.notify()
            leads, self._busy = not self._busy, True
        if not leads:
            ticket.wait()
        if not ticket.done:
            self._lead(ticket, work)
        return ticket.result()

    def _lead(self, ticket: _Ticket[One, Answer], work: Work[One, Answer]) -> None:
        """Take turns until the own job is done, then leave the line to the next in it."""
        try:
            while not ticket.done:
                self._carry_out(self._next(), work)
        finally:
            with self._lock:
                self._busy = bool(self._waiting)
                if self._waiting:
                    self._waiting[0].ring()

    def _next(self) -> list[_Ticket[One, Answer]]:
        """The jobs of the next turn; those that have a key in common with an earlier one stay in line."""
        taken: list[_Ticket[One, Answer]] = []
        left: deque[_Ticket[One, Answer]] = deque()
        keys: set[Hashable] = set()
        with self._lock:
            # Whom the last turn has just let go may be back in a moment.
            if self._last > 1:
                self._arrival.wait_for(lambda: len(self._waiting) >= self._last, _CROWD_WAIT)
            for ticket in self._waiting:
                if len(taken) < self._at_most and keys.isdisjoint(ticket.job.keys):
                    taken.append(ticket)
                else:
                    left.append(ticket)
                keys |= ticket.job.keys
            self._waiting = left
            self._last = len(taken)
        return taken

    def _carry_out(self, taken: Sequence[_Ticket[One, Answer]], work: Work[One, Answer]) -> None:
        try:
            answers = work([ticket.job for ticket in taken])
        except BaseException as error:
            self._fail(taken, work, error)
            return
        for ticket, answer in zip(taken, answers, strict=True):
            if isinstance(answer, MinicloudError):
                ticket.fail(answer)
            else:
                ticket.succeed(answer)

    def _fail(self, taken: Sequence[_Ticket[One, Answer]], work: Work[One, Answer], error: BaseException) -> None:
        """None was done. One that stands in the others' way is found by trying each by itself."""
        if len(taken) == 1 or isinstance(error, UnavailableError) or not isinstance(error, Exception):
            for ticket in taken:
                ticket.fail(error)
            return
        for ticket in taken:
            self._carry_out([ticket], work)
