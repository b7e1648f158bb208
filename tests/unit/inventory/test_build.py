"""From rows to an inventory, without Ansible."""

from __future__ import annotations

from typing import Any

import pytest
from minicloud_core.inventory.build import Entry, Selection, build
from minicloud_core.model.errors import InputError


def host(name: str, **changes: Any) -> dict[str, Any]:
    row = {
        "name": name,
        "address": "192.0.2.11",
        "ssh_user": "root",
        "ssh_port": 22,
        "ssh_key_file": "/var/lib/minicloud/ssh/id_ed25519",
        "libvirt_uri": "qemu+tls://192.0.2.11/system",
        "state": "ready",
        "cordoned": 0,
        "accelerator": "kvm",
        "cpu": 8,
        "ram_mib": 16384,
        "labels": {"rack": "r1"},
    }
    return {**row, **changes}


def vm(vm_id: str, name: str, **changes: Any) -> dict[str, Any]:
    row = {
        "id": vm_id,
        "uuid": "3f0c",
        "name": name,
        "project": "default",
        "status": "running",
        "desired": "running",
        "host": "node1",
        "cpu": 1,
        "ram_mib": 512,
        "image": "tiny",
        "labels": {"tier": "web"},
        "addresses": ["192.168.122.5"],
    }
    return {**row, **changes}


class Built:
    """An inventory with the warnings that came with it."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]], **selection: Any) -> None:
        self.warnings: list[str] = []
        self.entries = build({"hosts": [], "vms": [], **rows}, Selection(**selection), self.warnings.append)

    @property
    def names(self) -> list[str]:
        return [entry.name for entry in self.entries]

    def entry(self, name: str) -> Entry:
        return next(entry for entry in self.entries if entry.name == name)


def test_a_hypervisor_has_all_that_ssh_needs() -> None:
    entry = Built({"hosts": [host("node1", ssh_port="2222", cordoned=1)]}).entry("node1")
    assert entry.groups == ("hypervisors",)
    assert entry.variables == {
        "ansible_host": "192.0.2.11",
        "ansible_user": "root",
        "ansible_port": 2222,
        "ansible_ssh_private_key_file": "/var/lib/minicloud/ssh/id_ed25519",
        "minicloud_kind": "host",
        "minicloud_state": "ready",
        "minicloud_cordoned": True,
        "minicloud_accelerator": "kvm",
        "minicloud_cpu": 8,
        "minicloud_ram_mib": 16384,
        "minicloud_libvirt_uri": "qemu+tls://192.0.2.11/system",
        "minicloud_labels": {"rack": "r1"},
    }


def test_a_host_without_a_key_file_leaves_the_choice_to_ssh() -> None:
    variables = Built({"hosts": [host("node1", ssh_key_file=None)]}).entry("node1").variables
    assert "ansible_ssh_private_key_file" not in variables


def test_a_vm_is_in_the_groups_of_its_host_and_project() -> None:
    entry = Built({"vms": [vm("vm-101", "web01", project="shop")]}).entry("web01")
    assert entry.groups == ("vms", "project_shop", "host_node1")
    assert entry.variables["ansible_host"] == "192.168.122.5"
    assert entry.variables["minicloud_id"] == "vm-101"
    assert entry.variables["minicloud_addresses"] == ["192.168.122.5"]


def test_a_vm_that_is_nowhere_yet_has_no_host_group_and_no_address() -> None:
    entry = Built({"vms": [vm("vm-101", "web01", host=None, addresses=[])]}).entry("web01")
    assert entry.groups == ("vms", "project_default")
    assert "ansible_host" not in entry.variables


def test_hosts_come_by_name_and_vms_by_id() -> None:
    built = Built({"hosts": [host("node2"), host("node1")], "vms": [vm("vm-102", "a"), vm("vm-101", "b")]})
    assert built.names == ["node1", "node2", "b", "a"]
    assert built.warnings == []


@pytest.mark.parametrize(
    "name", ["localhost", "all", "ungrouped", "hypervisors", "vms", "node1", "{{ x }}", "-x", "a b", ""]
)
def test_a_vm_whose_name_means_something_else_is_called_by_its_id(name: str) -> None:
    built = Built({"hosts": [host("node1")], "vms": [vm("vm-101", name)]})
    assert built.names == ["node1", "vm-101"]
    assert built.entry("vm-101").variables["minicloud_name"] == name
    assert len(built.warnings) == 1


def test_vms_of_one_name_are_each_called_by_their_id() -> None:
    built = Built({"vms": [vm("vm-101", "web"), vm("vm-102", "web", project="shop"), vm("vm-103", "db")]})
    assert built.names == ["vm-101", "vm-102", "db"]


def test_what_a_vm_is_called_does_not_depend_on_what_is_shown() -> None:
    rows = {
        "hosts": [host("db")],
        "vms": [vm("vm-101", "web"), vm("vm-102", "web", project="shop"), vm("vm-103", "db")],
    }
    assert Built(rows, hosts=False, filters={"vms": {"project": "shop"}}).names == ["vm-102"]
    assert Built(rows, hosts=False, filters={"vms": {"id": "vm-103"}}).names == ["vm-103"]


def test_vms_may_all_be_called_by_their_ids() -> None:
    built = Built({"vms": [vm("vm-101", "web"), vm("vm-102", "localhost")]}, vm_names="id")
    assert built.names == ["vm-101", "vm-102"]
    assert built.warnings == []


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "-oProxyCommand=touch /tmp/x"},
        {"address": "192.0.2.1 -v"},
        {"address": "192.0.2.1\n"},
        {"address": ""},
        {"ssh_user": "-l"},
        {"ssh_user": "root@elsewhere"},
        {"ssh_key_file": "-F/tmp/config"},
        {"ssh_key_file": '/tmp/k" -o "ProxyCommand=x'},
        {"ssh_key_file": "/tmp/k\nProxyCommand x"},
        {"name": "localhost"},
        {"name": "{{ x }}"},
    ],
)
def test_a_host_that_ssh_could_misread_is_left_out(changes: dict[str, str]) -> None:
    built = Built({"hosts": [{**host("node1"), **changes}, host("node2")]})
    assert built.names == ["node2"]
    assert len(built.warnings) == 1


@pytest.mark.parametrize("address", ["node1.example.com", "192.0.2.1", "2001:db8::1", "::1", "fe80::1%eth0"])
def test_addresses_of_all_kinds_are_taken(address: str) -> None:
    assert Built({"hosts": [host("node1", address=address)]}).entry("node1").variables["ansible_host"] == address


def test_a_vms_address_that_ssh_could_misread_is_passed_over() -> None:
    entry = Built({"vms": [vm("vm-101", "web", addresses=["-v", "192.0.2.9"])]}).entry("web")
    assert entry.variables["ansible_host"] == "192.0.2.9"


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ({"hosts": False}, ["web", "db"]),
        ({"vms": False}, ["node1", "node2"]),
        ({"filters": {"hosts": {"cordoned": True}}}, ["node2", "web", "db"]),
        ({"filters": {"hosts": {"cordoned": False, "labels": {"rack": "r1"}}}}, ["node1", "web", "db"]),
        ({"filters": {"hosts": {"labels": {"rack": ["r8", "r9"]}}}}, ["web", "db"]),
        ({"filters": {"vms": {"status": ["running", "paused"]}}}, ["node1", "node2", "web"]),
        ({"filters": {"vms": {"labels": {"tier": "db"}}}}, ["node1", "node2", "db"]),
        ({"filters": {"vms": {"labels": {"none": "x"}}}}, ["node1", "node2"]),
        ({"filters": {"vms": {"host": "node1", "image": "tiny"}, "hosts": {"name": "node1"}}}, ["node1", "web"]),
    ],
)
def test_only_what_is_selected_is_shown(selection: dict[str, Any], names: list[str]) -> None:
    rows = {
        "hosts": [host("node1"), host("node2", cordoned=1)],
        "vms": [vm("vm-101", "web"), vm("vm-102", "db", status="stopped", host="node2", labels={"tier": "db"})],
    }
    assert Built(rows, **selection).names == names


def test_a_filter_that_does_not_exist_is_named() -> None:
    filters = {"hosts": {"colour": "red", "labels": "web"}, "vms": ["running"], "disks": {}}
    with pytest.raises(InputError) as caught:
        Selection(filters=filters)
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["filters.disks", "filters.hosts.colour", "filters.hosts.labels", "filters.vms"]
