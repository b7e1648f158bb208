"""Which creates may leave their host."""

from __future__ import annotations

import pytest
from minicloud.controllers.rescue import plan_rescues
from minicloud.services.view.fleet import FleetCreate, FleetState

from tests.server.controllers.known_fleet import NOW, ago, create


def rescued(*creates: FleetCreate) -> list[str]:
    return [one.operation for one in plan_rescues(FleetState(NOW, creates=creates), limit=50)]


@pytest.mark.parametrize("state", ["suspect", "fencing", "down", "maintenance"])
def test_what_nobody_began_may_leave_any_host_that_is_not_ready(state: str) -> None:
    assert rescued(create(begun=False, host_state=state)) == ["op-1"]


@pytest.mark.parametrize("state", ["ready", "suspect", "fencing", "maintenance"])
def test_what_was_begun_stays_until_the_power_is_proven_off(state: str) -> None:
    assert rescued(create(begun=True, host_state=state)) == []


def test_what_was_begun_leaves_a_host_that_is_down_and_says_why() -> None:
    (rescue,) = plan_rescues(FleetState(NOW, creates=(create(),)), limit=1)
    assert rescue.reason.rule == "host.down"
    assert "node1" in rescue.reason.message


def test_the_oldest_goes_first() -> None:
    younger = create(operation="op-2", created_at=ago(1))
    planned = plan_rescues(FleetState(NOW, creates=(younger, create())), limit=1)
    assert [one.operation for one in planned] == ["op-1"]
