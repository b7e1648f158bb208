"""What the planner puts right, and what it leaves alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud.controllers.drift import plan_corrections, plan_purges
from minicloud.services.view.fleet import FleetDomain, FleetState, FleetVm
from minicloud_core.model.vm import DESIRED

from tests.server.controllers.known_fleet import NOW, ago, copy, vm

FRESH = timedelta(seconds=15)


def verbs(*vms: FleetVm, domains: tuple[FleetDomain, ...] = ()) -> dict[str, str]:
    state = FleetState(NOW, vms=vms, domains=domains)
    return {one.vm: one.verb for one in plan_corrections(state, fresh=FRESH, limit=50)}


def purged(domain: FleetDomain, *vms: FleetVm) -> list[str]:
    state = FleetState(NOW, vms=vms, domains=(domain,))
    return [one.host for one in plan_purges(state, fresh=FRESH, limit=50)]


@pytest.mark.parametrize(
    ("desired", "observed", "verb"),
    [
        ("running", "stopped", "start"),
        ("running", "crashed", "start"),
        ("running", "paused", "resume"),
        ("running", "absent", "define"),
        ("stopped", "running", "stop"),
        ("stopped", "paused", "stop"),
        ("stopped", "absent", "define"),
        ("paused", "running", "pause"),
        ("paused", "stopped", "start"),
        ("paused", "absent", "define"),
    ],
)
def test_what_is_not_as_desired_is_put_right(desired: str, observed: str, verb: str) -> None:
    assert verbs(vm(desired=desired, observed_state=observed)) == {"vm-101": verb}


@pytest.mark.parametrize("state", ["running", "stopped", "paused"])
def test_what_is_as_desired_is_left_alone(state: str) -> None:
    assert verbs(vm(desired=state, observed_state=state)) == {}


@pytest.mark.parametrize("passing", ["migrating", "starting", "stopping", "suspended", "unknown"])
def test_a_domain_on_its_way_is_left_alone(passing: str) -> None:
    assert verbs(vm(observed_state=passing)) == {}


@pytest.mark.parametrize(
    "reason",
    [
        {"operation": "vm.reboot"},
        {"host_state": "suspect"},
        {"host_state": "down"},
        {"host_state": "maintenance"},
        {"host": None, "host_state": None},
        {"observed_at": None},
        {"observed_at": ago(16)},
        {"observed_at": ago(5), "settled_at": ago(4)},
        {"observed_at": ago(5), "settled_at": ago(5)},
        {"not_before": NOW + timedelta(seconds=1)},
    ],
)
def test_nothing_is_done_on_doubtful_grounds(reason: dict[str, object]) -> None:
    assert verbs(vm(**{"observed_state": "stopped", **reason})) == {}


def test_the_back_off_ends() -> None:
    assert verbs(vm(observed_state="stopped", attempts=3, not_before=NOW)) == {"vm-101": "start"}


def test_a_vm_that_may_run_elsewhere_is_not_started_a_second_time() -> None:
    for observed in ("stopped", "absent"):
        assert verbs(vm(observed_state=observed), domains=(copy(state="running"),)) == {}
        assert verbs(vm(observed_state=observed), domains=(copy(state="running", host_state="suspect"),)) == {}


def test_a_copy_that_cannot_run_holds_nobody_up() -> None:
    assert verbs(vm(observed_state="stopped"), domains=(copy(state="stopped"),)) == {"vm-101": "start"}
    assert verbs(vm(observed_state="stopped"), domains=(copy(host_state="down"),)) == {"vm-101": "start"}


def test_a_copy_elsewhere_does_not_keep_a_vm_from_being_stopped() -> None:
    assert verbs(vm(desired="stopped"), domains=(copy(),)) == {"vm-101": "stop"}


def test_a_delete_that_failed_is_begun_again() -> None:
    assert verbs(vm(desired="absent", status="error")) == {"vm-101": "delete"}
    assert verbs(vm(desired="absent", status="error", host=None, host_state=None)) == {"vm-101": "delete"}
    assert verbs(vm(desired="absent", host_state="suspect")) == {}
    assert verbs(vm(desired="absent", operation="vm.delete")) == {}


def test_one_pass_begins_so_much_and_favours_those_corrected_least() -> None:
    fleet = [vm(id=f"vm-{number}", observed_state="stopped", attempts=number % 3) for number in range(101, 131)]
    planned = plan_corrections(FleetState(NOW, vms=tuple(fleet)), fresh=FRESH, limit=10)
    attempts = {one.id: one.attempts for one in fleet}
    assert [attempts[one.vm] for one in planned] == [0] * 10


def test_the_reason_says_what_was_seen_where() -> None:
    state = FleetState(NOW, vms=(vm(observed_state="stopped"),))
    (correction,) = plan_corrections(state, fresh=FRESH, limit=1)
    assert correction.reason.message == "desired running, but node1 shows it stopped"


def test_a_stale_copy_goes() -> None:
    assert purged(copy(), vm()) == ["node2"]
    assert purged(copy(vm_host=None)) == ["node2"]


def test_a_host_back_from_the_dead_is_rid_of_stale_copies_before_it_is_ready() -> None:
    assert purged(copy(host_state="registering"), vm()) == ["node2"]


@pytest.mark.parametrize(
    "change",
    [
        {"epoch": 3},
        {"epoch": 4},
        {"vm_host": "node2"},
        {"host_state": "suspect"},
        {"seen_at": ago(16)},
        {"purge_operation": "op-7"},
    ],
)
def test_a_copy_that_may_be_wanted_stays(change: dict[str, object]) -> None:
    assert purged(copy(**change), vm()) == []


def test_a_copy_stays_while_its_vm_is_being_worked_on_or_just_was() -> None:
    assert purged(copy(), vm(operation="vm.migrate")) == []
    assert purged(copy(seen_at=ago(2)), vm(settled_at=ago(1))) == []


OBSERVED = st.sampled_from(["running", "stopped", "paused", "crashed", "absent", "migrating", None])
ANY_VM = st.builds(
    vm,
    desired=st.sampled_from(DESIRED),
    observed_state=OBSERVED,
    host_state=st.sampled_from(["ready", "suspect", "fencing", "down", "maintenance", "registering"]),
    operation=st.sampled_from([None, "vm.create", "vm.migrate"]),
    observed_at=st.none() | st.floats(0, 60).map(ago),
    settled_at=st.none() | st.floats(0, 60).map(ago),
    attempts=st.integers(0, 9),
)


@given(ANY_VM)
def test_carrying_a_correction_out_leads_to_rest(one: FleetVm) -> None:
    """Follow the planner's word step by step: a fleet comes to rest, and a fleet at rest is left alone."""
    leads_to = {"start": "running", "resume": "running", "pause": "paused", "stop": "stopped", "define": one.desired}
    for _step in range(4):
        planned = verbs(one)
        if not planned:
            break
        verb = planned[one.id]
        if verb == "delete":
            return
        one = vm(**{**one.__dict__, "observed_state": leads_to[verb]})
    assert verbs(one) == {}


@given(st.lists(ANY_VM, max_size=6), st.lists(st.builds(copy, state=st.sampled_from(["running", "stopped"]))))
def test_nothing_is_planned_for_a_vm_with_an_open_operation(vms: list[FleetVm], domains: list[FleetDomain]) -> None:
    fleet = tuple(vm(**{**one.__dict__, "id": f"vm-{number}"}) for number, one in enumerate(vms, 101))
    busy = {one.id for one in fleet if one.operation}
    state = FleetState(NOW, vms=fleet, domains=tuple(domains))
    assert busy.isdisjoint(one.vm for one in plan_corrections(state, fresh=FRESH, limit=50))
    assert busy.isdisjoint(one.vm for one in plan_purges(state, fresh=FRESH, limit=50))
