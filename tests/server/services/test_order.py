"""Orders and command lines: complete, and safe from what people write into names and texts. Pure."""

from __future__ import annotations

import json
import shlex

import pytest
from minicloud.services import identifier
from minicloud.services.command import change_command, create_command, fence_command, purge_command
from minicloud.services.order import bracket
from minicloud.services.retry import back_off, tries_of
from minicloud_core.model.order import MigrationOrder, VmOrder
from minicloud_core.model.units import GIB

from tests.server.world import START, SeededEntropy, World


@pytest.fixture
def fleet(world: World) -> World:
    world.fleet("node1", "node2")
    return world


def test_an_order_is_read_back_whole(fleet: World) -> None:
    fleet.observe("node1", pools={"default": 100 * GIB, "fast": 10 * GIB})
    fleet.create(disks=["1G", {"size": "2G", "pool": "fast"}], nics=["default", "lan"], labels={"tier": "web"})
    order = fleet.claim_one().order
    read = VmOrder.from_mapping(order)
    assert read.to_mapping() == order
    assert [(disk.name, disk.pool) for disk in read.disks] == [("vda", "default"), ("vdb", "fast")]
    assert [nic.network for nic in read.nics] == ["default", "lan"]
    assert (read.id, read.name, read.project, read.labels) == ("vm-101", "web01", "default", {"tier": "web"})
    assert read.spec_hash == fleet.vm().spec_hash


def test_a_migrations_order_is_read_back_whole(fleet: World) -> None:
    fleet.running()
    fleet.change("web01", "migrate", bandwidth_mib=100, timeout=30)
    order = fleet.claim_one().order
    read = MigrationOrder.from_mapping(order)
    assert read.to_mapping() == order
    assert (read.bandwidth_mib, read.timeout, read.copy_storage) == (100, 30, False)
    assert {read.source, read.destination} == {"node1", "node2"}


def test_local_disks_travel_with_their_vm(fleet: World) -> None:
    fleet.running(disks=["1G"])
    fleet.change("web01", "migrate")
    assert fleet.claim_one().order["copy_storage"] is True


def test_cloud_init_is_data_never_a_template(fleet: World) -> None:
    text = '#cloud-config\nruncmd: [\'echo {{ lookup("pipe", "id") }}\']\n'
    fleet.create(cloud_init={"user_data": text, "network_config": "version: 2\n"})
    seed = fleet.claim_one().order["cloud_init"]
    assert (seed["user_data"], seed["network_config"]) == (text, "version: 2\n")
    assert json.loads(seed["meta_data"]) == {"instance-id": fleet.vm().uuid, "local-hostname": "web01"}


def test_ssh_keys_make_a_cloud_config(fleet: World) -> None:
    fleet.create(cloud_init={"ssh_keys": ["ssh-ed25519 AAAA ann: #1"]})
    first, body = fleet.claim_one().order["cloud_init"]["user_data"].split("\n", 1)
    assert first == "#cloud-config"
    assert json.loads(body) == {"ssh_authorized_keys": ["ssh-ed25519 AAAA ann: #1"]}


def test_a_vm_without_cloud_init_has_no_seed(fleet: World) -> None:
    fleet.create()
    assert fleet.claim_one().order.get("cloud_init") is None


def test_lines_repeat_an_operation_by_hand(world: World) -> None:
    assert create_command(world.spec(), "default", "node2") == (
        "ansible-playbook playbooks/create_vm.yml -e name=web01 -e cpu=1 -e ram=512 -e image=tiny -e host=node2"
    )
    assert change_command("vm.reboot", "web01", "shop", {}) == (
        "ansible-playbook playbooks/power_vm.yml -e name=web01 -e action=reboot -e project=shop"
    )
    assert change_command("vm.stop", "web01", "default", {"force": True}) == (
        "ansible-playbook playbooks/power_vm.yml -e name=web01 -e state=stopped -e force=true"
    )
    assert change_command("vm.migrate", "web01", "default", {"host": "node2"}).endswith("-e name=web01 -e host=node2")
    assert fence_command("node2", "fence_ipmilan").endswith("-e name=node2 -e agent=fence_ipmilan -e @options.yml")
    words = shlex.split(purge_command("node2", {"id": "vm-101", "state": "absent"}))
    assert words[:7] == ["ansible", "-i", "node2,", "node2", "-m", "minicloud.libvirt.vm", "-a"]
    assert json.loads(words[7]) == {"vms": [{"id": "vm-101", "state": "absent"}]}


def test_lines_survive_a_shell(world: World) -> None:
    spec = world.spec(cloud_init={"user_data": 'it\'s $(id) "quoted"\n'})
    words = shlex.split(create_command(spec, "default", "node1"))
    assert json.loads(words[-1])["cloud_init"]["user_data"] == 'it\'s $(id) "quoted"\n'


@pytest.mark.parametrize(
    ("address", "written"), [("10.0.0.1", "10.0.0.1"), ("fd00::1", "[fd00::1]"), ("node1.lan", "node1.lan")]
)
def test_addresses_are_written_as_urls_take_them(address: str, written: str) -> None:
    assert bracket(address) == written


def test_ids_sort_by_time_and_are_well_formed() -> None:
    from datetime import timedelta

    entropy = SeededEntropy()
    ids = [identifier.operation_id(START + timedelta(milliseconds=5 * step), entropy) for step in range(50)]
    assert ids == sorted(ids)
    assert all(len(one) == 23 and one.startswith("op-") for one in ids)
    assert len({identifier.run_id(START, entropy) for _time in range(100)}) == 100
    assert identifier.mac_address(entropy).startswith("52:54:00:")
    assert identifier.domain_uuid(entropy)[14] == "4"


def test_back_offs_double_are_cut_and_spread() -> None:
    assert [back_off(tries, 1.0).total_seconds() for tries in (1, 2, 3, 6, 99)] == [2, 4, 8, 60, 60]
    assert back_off(1, 0.0).total_seconds() == 1
    assert tries_of("vm.create") > tries_of("vm.stop")
