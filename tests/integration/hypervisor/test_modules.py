"""The real modules, packed and run by ansible, on a real libvirtd."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.hypervisor.guest import TinyGuest
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd
from tests.integration.hypervisor.real_module import carry_out, run_module


@pytest.fixture
def vms(daemon: PrivateLibvirtd, guest: TinyGuest) -> Any:
    """Orders for two VMs and one that cannot be carried out."""
    orders: list[dict[str, Any]] = [
        {
            "id": f"mod-{number}",
            "name": f"module-{number}",
            "ram": "64M",
            "image": guest.image(),
            "nics": [{"network": "default"}],
            "state": "stopped",
            "operation": f"op-{number}",
        }
        for number in range(3)
    ]
    orders[1]["nics"] = [{"mac": "no mac"}]
    yield orders
    for order in orders:
        carry_out(daemon, "vm", {"id": order["id"], "state": "absent"})


def test_a_list_with_a_bad_item(daemon: PrivateLibvirtd, vms: list[dict[str, Any]]) -> None:
    foreseen = run_module(daemon, "vm", {"vms": vms, "fail_on_item": False}, "--check")
    assert [result["changed"] for result in foreseen["results"]] == [True, False, True]
    assert daemon.virsh("list", "--all", "--name") == ""

    failed = run_module(daemon, "vm", {"vms": vms})
    assert "no mac" in failed["msg"], "the task fails, for people"
    assert [result["failed"] for result in failed["results"]] == [False, True, False]
    assert [result["operation"] for result in failed["results"]] == ["op-0", "op-1", "op-2"]
    assert set(daemon.virsh("list", "--all", "--name").split()) == {"mod-0", "mod-2"}, "after all items were done"

    tolerated = run_module(daemon, "vm", {"vms": vms, "fail_on_item": False})
    assert "msg" not in tolerated
    assert tolerated["changed"] is False


def test_one_vm_with_a_diff_and_what_the_info_modules_say(daemon: PrivateLibvirtd, vms: list[dict[str, Any]]) -> None:
    made = run_module(daemon, "vm", vms[0])
    changed = run_module(daemon, "vm", {"name": "module-0", "cpu": 2, "labels": {"tier": "web"}}, "--diff")
    assert (changed["vm"]["id"], changed["vm"]["uuid"]) == ("mod-0", made["vm"]["uuid"])
    assert (changed["vm"]["before"]["cpu"], changed["vm"]["after"]["cpu"]) == (1, 2)
    assert '+    "cpu": 2' in changed["shown"], "ansible shows the difference"

    listed = run_module(daemon, "vm_info", {"vms": ["module-0"], "addresses": True})["vms"]
    assert [(vm["id"], vm["cpu"], vm["labels"], vm["managed"]) for vm in listed] == [
        ("mod-0", 2, {"tier": "web"}, True)
    ]

    host = run_module(daemon, "host_info", {"accelerator": "tcg"})["host"]
    assert (host["uuid"], host["hostname"], host["accelerator"]) == (daemon.uuid, "hv1", "tcg")
    assert [pool["name"] for pool in host["pools"]] == ["default"]
    assert host["pools"][0]["state"] == "running"
    assert host["networks"] == [
        {**host["networks"][0], "name": "default", "active": True, "forward": "bridge", "bridge": "lab0"}
    ]
    assert host["domains"]["inactive"] == 1
    assert 0 < host["memory"]["available_mib"] <= host["memory"]["total_mib"]

    image = {"name": "tiny", "state": "absent"}
    refused = run_module(daemon, "image", image)
    assert "mod-0" in refused["msg"], "it is in use"
    assert run_module(daemon, "vm", {"name": "module-0", "state": "absent"})["changed"] is True
    removed = run_module(daemon, "image", image)
    assert (removed["changed"], removed["image"]["state"]) == (True, "absent")
