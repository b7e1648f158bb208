"""Drift: every owned field counts, nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minicloud_core.hypervisor.definition import Definition, Disk, KernelBoot, Seed
from minicloud_core.hypervisor.drift import differences, grown_disks
from minicloud_core.model.metadata import DomainMetadata
from minicloud_core.model.order import NicOrder

from tests.unit.hypervisor.strategies import DEFINITIONS
from tests.unit.hypervisor.test_domain_xml import WEB

CHANGES: dict[str, dict[str, Any]] = {
    "cpu": {"cpu": 3},
    "ram": {"ram": 2048},
    "boot": {"boot": KernelBoot("/boot/vmlinuz-new", "/boot/initrd.img")},
    "disks": {"disks": (Disk("vda"), Disk("vdb", 1024))},
    "nics": {"nics": (NicOrder("backend", "52:54:00:00:00:01"),)},
    "labels": {"labels": {}},
    "cloud_init": {"seed": Seed("1" * 64)},
    "name": {"metadata": DomainMetadata("vm-101", "web02", "shop", "feed", 3)},
    "project": {"metadata": DomainMetadata("vm-101", "web01", "lab", "feed", 3)},
    "machine": {"machine": "pc"},
    "huge_pages": {"huge_pages": True},
    "pinned": {"pinned": True},
    "numa": {"numa": (0,)},
    "spec_hash": {"metadata": DomainMetadata("vm-101", "web01", "shop", "beef", 3)},
}


@pytest.mark.parametrize("field", CHANGES)
def test_each_owned_field_is_a_difference_of_its_own(field: str) -> None:
    assert set(differences(WEB, replace(WEB, **CHANGES[field]))) == {field}


@given(DEFINITIONS, st.randoms())
def test_order_of_devices_and_epoch_are_no_difference(definition: Definition, random: Any) -> None:
    disks, nics = list(definition.disks), list(definition.nics)
    random.shuffle(disks)
    random.shuffle(nics)
    later = replace(definition.metadata, epoch=definition.metadata.epoch + 1)
    assert differences(definition, replace(definition, disks=tuple(disks), nics=tuple(nics), metadata=later)) == {}


@pytest.mark.parametrize(
    ("existing", "wanted", "differs"),
    [
        ("pc-q35-7.2", "", False),
        ("pc-q35-7.2", "q35", False),
        ("pc-q35-7.2", "pc-q35-7.2", False),
        ("pc-q35-7.2", "pc-q35-8.0", True),
        ("pc-q35-7.2", "pc", True),
        ("pc-i440fx-7.2", "pc", False),
        ("virt-7.2", "virt", False),
        ("virt", "virt-7.2", True),
    ],
)
def test_any_version_of_a_machine_will_do_unless_one_is_named(existing: str, wanted: str, *, differs: bool) -> None:
    found = differences(replace(WEB, machine=existing), replace(WEB, machine=wanted))
    assert found == ({"machine": (existing, wanted)} if differs else {})


def test_which_threads_a_guest_has_is_no_difference() -> None:
    here, there = (replace(WEB, pinned=True, threads=(frozenset({one}), frozenset({one + 1}))) for one in (0, 4))
    assert differences(here, there) == {}


def test_a_size_that_is_not_asked_for_is_no_difference() -> None:
    sized = replace(WEB, disks=(Disk("vda", 4096),))
    assert differences(sized, replace(WEB, disks=(Disk("vda", 0),))) == {}
    assert grown_disks(sized, replace(WEB, disks=(Disk("vda", 0),))) == []


def test_a_size_that_differs_is_found_with_the_disk_it_is_about() -> None:
    sized = replace(WEB, disks=(Disk("vda", 4096, "/pool/a"),))
    wanted = replace(WEB, disks=(Disk("vda", 8192), Disk("vdb", 1)))
    assert set(differences(sized, wanted)) == {"disks"}
    assert grown_disks(sized, wanted) == [(Disk("vda", 4096, "/pool/a"), 8192)]
