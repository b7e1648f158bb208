"""Words for refusals are found once for all who ask for the same, and never for another fleet, request or time."""

from __future__ import annotations

import pytest
from minicloud.services.refusal_words import RefusalWords
from minicloud_core.model.errors import NoCapacityError
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import BALANCED, SPREAD
from minicloud_core.scheduler.request import Request

BIG = Request(64, 64)


class Desk:
    """Refuses, and counts how often words had to be found."""

    def __init__(self) -> None:
        self.scheduler = Scheduler(Fleet([HostView("a", 4, 8192), HostView("b", 8, 8192)]), BALANCED)
        self.words, self.found, self.real = RefusalWords(), 0, Decision.no_capacity

    def count(self, decision: Decision) -> NoCapacityError:
        self.found += 1
        return self.real(decision)

    def refuse(self, request: Request = BIG, at: float = 0.0) -> NoCapacityError:
        decision = self.scheduler.place(request, now=at)
        assert decision.host is None
        error = self.words.of(self.scheduler.fleet, self.scheduler.policy, decision)
        fresh = self.real(decision)
        assert (error.message, error.hint, error.details) == (fresh.message, fresh.hint, fresh.details)
        return error


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()

    def counted(decision: Decision) -> NoCapacityError:
        return desk.count(decision)

    monkeypatch.setattr(Decision, "no_capacity", counted)
    return desk


def test_a_crowd_is_told_the_same_each_by_an_error_of_its_own(desk: Desk) -> None:
    told = [desk.refuse(Request(64, 64, vm=f"vm-{number}"), at=number / 10) for number in range(9)]
    assert desk.found == 1
    assert len({id(one) for one in told}) == 9
    told[0].details["item"] = 3
    assert "item" not in desk.refuse().details


def test_another_request_fleet_policy_or_time_has_words_of_its_own(desk: Desk) -> None:
    desk.refuse()
    desk.refuse(Request(65, 64))
    desk.refuse()
    assert desk.found == 3
    desk.scheduler.take("vm-1", "a", Request(1, 64))
    desk.refuse()
    assert desk.found == 4
    desk.refuse(at=5.0)
    assert desk.found == 5
    desk.scheduler = Scheduler(desk.scheduler.fleet, SPREAD)
    desk.refuse(at=5.0)
    assert desk.found == 6
    desk.scheduler = Scheduler(desk.scheduler.fleet.copy(), SPREAD)
    desk.refuse(at=5.0)
    assert desk.found == 7
