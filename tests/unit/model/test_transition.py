"""State machines refuse what is not in their table."""

from __future__ import annotations

import pytest
from minicloud_core.model.errors import TransitionError
from minicloud_core.model.host import HOST_TRANSITIONS
from minicloud_core.model.migration import MIGRATION_TRANSITIONS
from minicloud_core.model.operation import ENDED, OPEN, OPERATION_TRANSITIONS, UNCLAIMED
from minicloud_core.model.transition import TransitionTable
from minicloud_core.model.vm import VM_TRANSITIONS

TABLES = [HOST_TRANSITIONS, MIGRATION_TRANSITIONS, OPERATION_TRANSITIONS, VM_TRANSITIONS]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.noun)
def test_every_pair_is_either_legal_or_refused_with_both_names(table: TransitionTable) -> None:
    for old in table.states:
        for new in table.states:
            if table.allows(old, new):
                assert table.check(old, new) == new
            else:
                with pytest.raises(TransitionError, match=f"from {old} to {new}"):
                    table.check(old, new)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.noun)
def test_every_state_is_reached_from_another_or_is_where_things_begin(table: TransitionTable) -> None:
    beginnings = {"provisioning", "registering", "waiting", "planned"}
    reached = {new for targets in table.moves.values() for new in targets}
    assert table.states - reached <= beginnings


def test_an_ended_operation_stays_ended() -> None:
    assert OPERATION_TRANSITIONS.states == OPEN | ENDED
    assert all(not OPERATION_TRANSITIONS.moves[state] for state in ENDED)


def test_what_waits_for_others_is_queued_before_anybody_may_claim_it() -> None:
    assert UNCLAIMED < OPEN
    assert OPERATION_TRANSITIONS.allows("waiting", "queued")
    assert not [
        state for state in ("claimed", "running", "succeeded") if OPERATION_TRANSITIONS.allows("waiting", state)
    ]


def test_a_table_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="lost"):
        TransitionTable("Thing", {"here": ["lost"]})
