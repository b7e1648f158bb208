"""Plans: from every state to every other, and never a step too many."""

from __future__ import annotations

from dataclasses import replace

import pytest
from minicloud_core.hypervisor.plan import plan, power_steps
from minicloud_core.model.order import ACTIONS, STATES

from tests.unit.hypervisor.test_domain_xml import WEB

# What each step makes of a domain's state, and from which states libvirt accepts it.
EFFECTS = {
    "start": ({"stopped"}, "running"),
    "start_paused": ({"stopped"}, "paused"),
    "stop": ({"running"}, "stopped"),
    "cut": ({"running", "paused", "crashed", "suspended"}, "stopped"),
    "pause": ({"running"}, "paused"),
    "resume": ({"paused"}, "running"),
    "wake": ({"suspended"}, "running"),
    "reboot": ({"running"}, "running"),
    "reset": ({"running"}, "running"),
}
FOUND = ("running", "paused", "stopped", "crashed", "suspended")


def simulate(state: str, steps: tuple[str, ...]) -> str:
    for step in steps:
        accepted, result = EFFECTS[step]
        assert state in accepted, f"libvirt refuses {step} of a domain that is {state}"
        state = result
    return state


@pytest.mark.parametrize("found", FOUND)
@pytest.mark.parametrize("target", [state for state in STATES if state not in ("present", "absent")])
def test_every_state_is_reached_and_then_left_alone(found: str, target: str) -> None:
    assert simulate(found, power_steps(found, target, None)) == target
    assert power_steps(target, target, None) == ()


@pytest.mark.parametrize("found", FOUND)
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_ends_in_running_and_is_done_unless_the_guest_starts_anyway(found: str, action: str) -> None:
    steps = power_steps(found, "running", action)
    assert simulate(found, steps) == "running"
    assert (action in steps) != ("start" in steps)


@pytest.mark.parametrize("found", FOUND)
def test_present_leaves_the_power_alone(found: str) -> None:
    assert power_steps(found, "present", None) == ()


def test_a_new_vm_is_created_and_brought_to_its_state() -> None:
    assert plan(WEB, None, "absent", "running", None).power == ("start",)
    assert plan(WEB, None, "absent", "paused", None).power == ("start_paused",)
    assert plan(WEB, None, "absent", "stopped", None).power == ()
    assert plan(WEB, None, "absent", "present", None).definition == "create"


def test_a_new_vm_is_not_rebooted() -> None:
    assert plan(WEB, None, "absent", "running", "reboot").power == ("start",)


def test_nothing_to_do_is_no_change() -> None:
    decided = plan(WEB, WEB, "running", "running", None)
    assert (decided.changed, decided.definition, decided.epoch) == (False, "keep", False)


def test_a_later_epoch_is_written_and_is_no_change() -> None:
    later = replace(WEB, metadata=replace(WEB.metadata, epoch=4))
    decided = plan(later, WEB, "running", "running", None)
    assert (decided.changed, decided.epoch) == (False, True)


def test_what_differs_is_named() -> None:
    decided = plan(replace(WEB, cpu=4), WEB, "running", "running", None)
    assert (decided.changed, decided.definition, decided.differences) == (True, "change", {"cpu": (2, 4)})


def test_absent_removes_what_is_there() -> None:
    assert plan(WEB, WEB, "running", "absent", None).definition == "remove"
    assert plan(WEB, None, "absent", "absent", None).changed is False
