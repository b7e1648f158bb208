"""Why requests find no host, put into words once for all who ask for the same at the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from weakref import ReferenceType, ref

from minicloud_core.model.errors import NoCapacityError
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request

# Words may tell of a measurement's age: they are said again for so many seconds.
_GOOD_FOR: Final = 1.0


@dataclass(frozen=True)
class _Said:
    fleet: ReferenceType[Fleet]
    version: int
    policy: Policy
    request: Request
    at: float
    error: NoCapacityError

    def answers(self, fleet: Fleet, policy: Policy, decision: Decision) -> bool:
        unchanged = self.fleet() is fleet and self.version == fleet.version and self.policy is policy
        return unchanged and 0 <= decision.at - self.at < _GOOD_FOR and self.request == _asked(decision)


class RefusalWords:
    """Remembers the last that were found. To find them takes many times as long as to decide, and of a full fleet a
    crowd asks for the same."""

    def __init__(self) -> None:
        self._said: _Said | None = None

    def of(self, fleet: Fleet, policy: Policy, decision: Decision) -> NoCapacityError:
        """The error that says why a decision found no host.

        :param fleet: that which was decided by, and has not changed since.
        """
        if self._said is None or not self._said.answers(fleet, policy, decision):
            asked = _asked(decision)
            self._said = _Said(ref(fleet), fleet.version, policy, asked, decision.at, decision.no_capacity())
        error = self._said.error
        # Each caller raises its own.
        return NoCapacityError(error.message, hint=error.hint, details=error.details)


def _asked(decision: Decision) -> Request:
    """What was asked for, whoever it is for."""
    return replace(decision.request, vm=None)
