"""One VM's life on a real libvirtd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.hypervisor.conftest import Apply
from tests.integration.hypervisor.guest import await_console
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

Order = dict[str, Any]


def test_a_vm_from_its_creation_to_its_end(apply: Apply, order: Order, daemon: PrivateLibvirtd, root: Path) -> None:
    created = apply(order)
    assert (created["changed"], created["state"], created["error"]) == (True, "running", None)
    assert created["before"] == {"state": "absent"}
    assert created["operation"] == "op-test"
    log = root / "console" / f"{created['uuid']}.log"
    await_console(log, f"minicloud-guest {order['name']} uptime")

    repeated = apply(order)
    assert (repeated["changed"], repeated["state"]) == (False, "running")
    assert repeated["before"] == repeated["after"]

    paused = apply(order, state="paused")
    assert (paused["changed"], paused["state"]) == (True, "paused")
    assert daemon.virsh("domstate", order["id"]) == "paused"
    assert not apply(order, state="paused")["changed"]

    resumed = apply(order)
    assert (resumed["changed"], resumed["state"]) == (True, "running")

    stopped = apply(order, state="stopped", graceful=60)
    assert (stopped["changed"], stopped["state"], stopped["forced"]) == (True, "stopped", False)
    assert "Power down" in log.read_text()
    assert not apply(order, state="stopped")["changed"]

    started = apply(order)
    assert (started["changed"], started["state"]) == (True, "running")

    removed = apply(order, state="absent")
    assert (removed["changed"], removed["state"], removed["after"]) == (True, "absent", {"state": "absent"})
    assert order["id"] not in daemon.virsh("list", "--all", "--name").splitlines()
    assert not log.exists()

    again = apply(order, state="absent")
    assert (again["changed"], again["state"], again["before"]) == (False, "absent", {"state": "absent"})


def test_a_new_vm_may_be_defined_only(apply: Apply, order: Order) -> None:
    assert apply(order, state="present")["state"] == "stopped"
    assert apply(order, state="stopped")["changed"] is False


def test_a_new_vm_may_start_paused(apply: Apply, order: Order, daemon: PrivateLibvirtd) -> None:
    assert apply(order, state="paused")["state"] == "paused"
    assert daemon.virsh("domstate", order["id"]) == "paused"


def test_a_paused_vm_is_stopped_without_asking_it(apply: Apply, order: Order) -> None:
    apply(order, state="paused")
    stopped = apply(order, state="stopped", graceful=60)
    assert stopped["state"] == "stopped"
    assert stopped["seconds"] < 10


def test_a_guest_that_does_not_obey_is_forced(apply: Apply, order: Order) -> None:
    # Without its initrd the kernel panics, and nobody hears the power button.
    created = apply(order, initrd="")
    stopped = apply(order, initrd="", state="stopped", graceful=2)
    assert created["state"] == "running"
    assert (stopped["state"], stopped["forced"]) == ("stopped", True)


def test_reset_starts_the_guest_over(apply: Apply, order: Order, root: Path) -> None:
    uuid = apply(order)["uuid"]
    log = root / "console" / f"{uuid}.log"
    await_console(log, "ticks 1\n")
    reset = apply(order, action="reset")
    assert (reset["changed"], reset["state"]) == (True, "running")
    await_console(log, "ticks 0\n", times=2)


def test_reboot_asks_the_guest_and_waits_until_it_has_obeyed(apply: Apply, order: Order, root: Path) -> None:
    uuid = apply(order)["uuid"]
    log = root / "console" / f"{uuid}.log"
    await_console(log, "ticks 1\n")
    rebooted = apply(order, action="reboot", graceful=60)
    assert (rebooted["changed"], rebooted["state"], rebooted["forced"]) == (True, "running", False)
    assert "Power down" in log.read_text(), "the guest did it by itself"
    await_console(log, "ticks 0\n", times=2)


def test_a_guest_that_does_not_reboot_is_reset(apply: Apply, order: Order) -> None:
    apply(order, initrd="")
    rebooted = apply(order, initrd="", action="reboot", graceful=2)
    assert (rebooted["state"], rebooted["forced"], rebooted["error"]) == ("running", True, None)


def test_an_action_on_a_vm_that_is_off_only_starts_it(apply: Apply, order: Order) -> None:
    apply(order, state="stopped")
    started = apply(order, action="reboot")
    assert (started["state"], started["changed"], started["forced"]) == ("running", True, False)


def test_check_mode_says_what_would_happen_and_does_nothing(
    apply: Apply, order: Order, daemon: PrivateLibvirtd
) -> None:
    foreseen = apply(order, check=True)
    assert (foreseen["changed"], foreseen["state"]) == (True, "running")
    assert foreseen["after"]["cpu"] == 1
    assert order["id"] not in daemon.virsh("list", "--all", "--name").splitlines()

    apply(order, state="stopped")
    assert apply(order, check=True)["changed"] is True
    assert apply(order, check=True, state="stopped")["changed"] is False
    assert apply(order, check=True, state="absent")["after"] == {"state": "absent"}
    assert daemon.virsh("domstate", order["id"]) == "shut off"
