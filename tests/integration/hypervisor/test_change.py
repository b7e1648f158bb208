"""Changes to VMs that exist."""

from __future__ import annotations

from typing import Any

from minicloud_core.hypervisor.host import Hypervisor
from minicloud_core.hypervisor.inventory import DomainFilter, vm_facts

from tests.integration.hypervisor.conftest import Apply
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

Order = dict[str, Any]


def test_a_change_to_a_running_vm_waits_for_its_next_start(apply: Apply, order: Order, daemon: PrivateLibvirtd) -> None:
    made = apply(order)
    order |= {"cpu": 2, "ram": "192M", "labels": {"tier": "web"}}
    changed = apply(order)
    assert (changed["changed"], changed["state"], changed["restart_required"]) == (True, "running", True)
    assert (changed["before"]["cpu"], changed["after"]["cpu"]) == (1, 2)
    assert (changed["before"]["ram"], changed["after"]["ram"]) == (128, 192)
    assert changed["after"]["labels"] == {"tier": "web"}
    assert changed["uuid"] == made["uuid"]
    assert daemon.virsh("vcpucount", order["id"], "--live", "--current") == "1"

    repeated = apply(order)
    assert (repeated["changed"], repeated["restart_required"]) == (False, True)

    apply(order, state="stopped", graceful=0)
    restarted = apply(order)
    assert restarted["restart_required"] is False
    assert daemon.virsh("vcpucount", order["id"], "--live", "--current") == "2"


def test_what_others_set_is_left_as_it_is(apply: Apply, order: Order, daemon: PrivateLibvirtd) -> None:
    apply(order, state="stopped")
    daemon.virsh("schedinfo", order["id"], "--config", "--set", "cpu_shares=500")
    daemon.virsh("autostart", order["id"])
    assert apply(order, state="stopped")["changed"] is False
    assert apply(order, state="stopped", cpu=2)["changed"]
    xml = daemon.virsh("dumpxml", order["id"])
    assert "<shares>500</shares>" in xml
    assert "org.qemu.guest_agent.0" in xml


def test_an_order_by_name_finds_the_vm_of_the_service(apply: Apply, order: Order) -> None:
    made = apply(order, state="stopped", spec_hash="feed", project="shop")
    found = apply({"name": order["name"], "cpu": 2})
    assert (found["error"], found["id"], found["uuid"]) == (None, order["id"], made["uuid"])
    assert (found["after"]["project"], found["after"]["spec_hash"], found["after"]["cpu"]) == ("shop", "feed", 2)
    assert found["state"] == "stopped", "present leaves the power alone"


def test_two_vms_of_one_name_have_to_be_told_apart(apply: Apply, order: Order) -> None:
    apply(order, state="stopped", project="shop")
    other = {**order, "id": f"{order['id']}x", "state": "stopped", "project": "lab"}
    try:
        assert apply(other)["error"] is None
        unclear = apply({"name": order["name"]})
        assert unclear["error"]["code"] == "minicloud.resource.conflict"
        assert order["id"] in unclear["error"]["message"]
        assert apply({"name": order["name"], "project": "lab"})["id"] == other["id"]
    finally:
        apply(other, state="absent")


def test_a_list_of_vms_shows_ours_and_others(apply: Apply, order: Order, hypervisor: Hypervisor) -> None:
    apply(order, state="paused", labels={"tier": "web"}, epoch=3)
    listed = vm_facts(hypervisor.connection, DomainFilter.of([order["name"].upper()], True, ["paused"]), addresses=True)
    assert [vm["id"] for vm in listed] == [order["id"]]
    facts = listed[0]
    assert (facts["state"], facts["state_reason"], facts["epoch"]) == ("paused", "paused by request", 3)
    assert (facts["managed"], facts["autostart"], facts["labels"]) == (True, False, {"tier": "web"})
    assert facts["addresses"] == []
    assert vm_facts(hypervisor.connection, DomainFilter.of([order["id"]], False, None)) == []
