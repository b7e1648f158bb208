"""Completing orders: the service's pass through unchanged, a person's gaps are filled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.hypervisor.completion import complete, derive_mac, derive_uuid
from minicloud_core.hypervisor.definition import Disk, KernelBoot
from minicloud_core.hypervisor.drift import differences
from minicloud_core.hypervisor.wanted import wanted_definition
from minicloud_core.model.errors import InputError
from minicloud_core.model.image import Image, ImageFile
from minicloud_core.model.order import DiskOrder, NicOrder, SeedOrder, VmOrder

from tests.unit.hypervisor.strategies import NAMES, UUIDS
from tests.unit.hypervisor.test_domain_xml import WEB

HOST = "11111111-2222-3333-4444-555555555555"
FILES = (ImageFile("kernel", "vmlinuz", "a" * 64, 1), ImageFile("initrd", "initrd.img", "b" * 64, 2))
TINY = Image("tiny", "kernel", FILES, cmdline="console=ttyS0")
FULL = VmOrder(
    id="vm-101",
    uuid="3f0c2a9e-8d55-4c0e-9a43-5a9d3b8f6f10",
    name="web01",
    project="shop",
    state="running",
    epoch=3,
    spec_hash="feed",
    cpu=2,
    ram=1024,
    image=TINY,
    disks=(DiskOrder("vda", 1024, "fast"),),
    nics=(NicOrder("default", "52:54:00:00:00:01"),),
    cloud_init=SeedOrder("#cloud-config\n", "instance-id: i\n"),
    labels={"tier": "web"},
    operation="op-1",
    wait=30,
    graceful=5,
)


def fields(caught: pytest.ExceptionInfo[InputError]) -> set[str]:
    return {problem.field for problem in caught.value.problems}


def test_a_complete_order_stays_what_it_is() -> None:
    assert complete(FULL.to_mapping(), None, HOST).order == FULL
    assert complete(FULL.to_mapping(), WEB, HOST).order == FULL


def test_a_name_is_enough_for_a_new_vm() -> None:
    order = complete({"name": "web01"}, None, HOST).order
    assert (order.id, order.name, order.project, order.state) == ("web01", "web01", "default", "present")
    assert order.uuid == derive_uuid(HOST, "web01") == complete({"name": "web01"}, None, HOST).order.uuid
    assert (order.cpu, order.ram, order.epoch) == (1, 512, 0)
    assert [nic.network for nic in order.nics] == ["default"]


def test_a_name_alone_changes_nothing_about_a_vm_that_exists() -> None:
    known = replace(WEB, disks=(Disk("vda", 4096, "/pool/a"),))
    request = complete({"name": "web01"}, known, HOST)
    assert differences(known, wanted_definition(request, Path("/images"), known)) == {}
    assert request.order.epoch == known.metadata.epoch


def test_cards_without_mac_take_over_the_domains() -> None:
    known = replace(WEB, nics=(NicOrder("front", "52:54:00:00:00:0a"), NicOrder("back", "52:54:00:00:00:0b")))
    order = complete({"name": "web01", "nics": [{"network": "back"}, {"network": "front"}]}, known, HOST).order
    assert [nic.mac for nic in order.nics] == ["52:54:00:00:00:0b", "52:54:00:00:00:0a"]
    more = complete({"name": "web01", "nics": [{"network": "back"}, {"network": "back"}]}, known, HOST).order
    assert more.nics[0].mac == "52:54:00:00:00:0b"
    assert more.nics[1].mac not in {nic.mac for nic in known.nics}


@given(UUIDS, st.integers(0, 7))
def test_derived_macs_are_stable_and_never_taken(uuid: str, index: int) -> None:
    first = derive_mac(uuid, index, frozenset())
    assert first == derive_mac(uuid, index, frozenset())
    assert first.startswith("52:54:00:")
    assert derive_mac(uuid, index, frozenset({first})) != first


@given(NAMES, st.integers(0, 8))
def test_cards_of_a_new_vm_differ_in_their_mac(name: str, count: int) -> None:
    nics = complete({"name": name, "nics": [{}] * count}, None, HOST).order.nics
    assert len({nic.mac for nic in nics}) == count


def test_sizes_may_be_text() -> None:
    order = complete({"name": "a", "ram": "4G", "disks": [{"size": "10G"}, {"size": 512}]}, None, HOST).order
    assert order.ram == 4096
    assert [(disk.name, disk.size) for disk in order.disks] == [("vda", 10 * 1024**3), ("vdb", 512)]


def test_a_disk_image_brings_its_disk() -> None:
    image = {"name": "debian", "kind": "disk", "files": [{"role": "disk", "name": "d.qcow2", "sha256": "a" * 64}]}
    order = complete({"name": "a", "image": image}, None, HOST).order
    assert order.disks == (DiskOrder("vda", 0, "default"),)


def test_a_blank_disk_needs_a_size() -> None:
    request = complete({"name": "a", "disks": [{}]}, None, HOST)
    with pytest.raises(InputError) as caught:
        wanted_definition(request, Path("/images"), None)
    assert fields(caught) == {"disks.0.size"}


def test_kernel_paths_stand_in_for_an_image_and_tell_the_guest_its_name() -> None:
    given_paths = {"kernel": "/boot/k", "initrd": "/boot/i", "cmdline": "quiet"}
    request = complete({"name": "web01", **given_paths}, None, HOST)
    assert request.boot == KernelBoot("/boot/k", "/boot/i", "quiet minicloud.name=web01")


def test_an_image_is_booted_from_the_cache() -> None:
    boot = wanted_definition(complete(FULL.to_mapping(), None, HOST), Path("/images"), None).boot
    folder = f"/images/tiny-{'a' * 12}-{'b' * 12}"
    assert boot == KernelBoot(f"{folder}/vmlinuz", f"{folder}/initrd.img", "console=ttyS0 minicloud.name=web01")


def test_a_command_line_may_replace_the_images() -> None:
    request = complete({**FULL.to_mapping(), "cmdline": "debug"}, None, HOST)
    boot = wanted_definition(request, Path("/images"), None).boot
    assert boot is not None
    assert boot.cmdline == "debug minicloud.name=web01"


def test_a_seed_without_meta_data_gets_an_identity_that_lasts() -> None:
    order = complete({"name": "web01", "cloud_init": {"user_data": "x"}}, None, HOST).order
    assert order.cloud_init == SeedOrder("x", f"instance-id: {order.uuid}\nlocal-hostname: web01\n", "")


def test_an_action_means_running() -> None:
    assert complete({"name": "a", "action": "reboot"}, None, HOST).order.state == "running"


@pytest.mark.parametrize(
    ("order", "wrong"),
    [
        ({"name": "web/01"}, {"name", "id"}),
        ({"name": "{{ 7 * 7 }}"}, {"name", "id"}),
        ({"name": "web01\n"}, {"name", "id"}),
        ({"name": "a", "id": "../x"}, {"id"}),
        ({"name": "a", "cpu": 0}, {"cpu"}),
        ({"name": "a", "cpu": -1, "ram": "1P"}, {"cpu", "ram"}),
        ({"name": "a", "ram": "lots"}, {"ram"}),
        ({"name": "a", "ram": 1}, {"ram"}),
        ({"name": "a", "uuid": "../../etc"}, {"uuid"}),
        ({"name": "a", "nics": [{"mac": "52:54:00"}]}, {"nics.0.mac"}),
        ({"name": "a", "nics": [{"mac": "52:54:00:00:00:01"}, {"mac": "52:54:00:00:00:01"}]}, {"nics.1.mac"}),
        ({"name": "a", "disks": [{"name": "sda", "size": 1}]}, {"disks.0.name"}),
        ({"name": "a", "disks": [{"name": "vdz", "size": 1}]}, {"disks.0.name"}),
        ({"name": "a", "disks": [{"size": -5}]}, {"disks.0.size"}),
        ({"name": "a", "disks": [{"size": 1, "name": "vda"}, {"size": 1, "name": "vda"}]}, {"disks.1.name"}),
        ({"name": "a", "kernel": "vmlinuz"}, {"kernel"}),
        ({"name": "a", "initrd": "/boot/i"}, {"initrd"}),
        ({"name": "a", "kernel": "/k", "cmdline": "a\nb"}, {"cmdline"}),
        ({"name": "a", "labels": {"tier": 1}}, {"labels.tier"}),
        ({"name": "a", "cloud_init": {"user_data": {"packages": []}}}, {"cloud_init.user_data"}),
        ({"name": "a", "action": "reset", "state": "stopped"}, {"action"}),
    ],
)
def test_every_wrong_field_is_named(order: dict[str, Any], wrong: set[str]) -> None:
    with pytest.raises(InputError) as caught:
        complete(order, None, HOST)
    assert fields(caught) == wrong
