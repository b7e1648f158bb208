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


def test_a_size_that_is_not_asked_for_is_no_difference() -> None:
    sized = replace(WEB, disks=(Disk("vda", 4096),))
    assert differences(sized, replace(WEB, disks=(Disk("vda", 0),))) == {}
    assert grown_disks(sized, replace(WEB, disks=(Disk("vda", 0),))) == []


def test_a_size_that_differs_is_found_with_the_disk_it_is_about() -> None:
    sized = replace(WEB, disks=(Disk("vda", 4096, "/pool/a"),))
    wanted = replace(WEB, disks=(Disk("vda", 8192), Disk("vdb", 1)))
    assert set(differences(sized, wanted)) == {"disks"}
    assert grown_disks(sized, wanted) == [(Disk("vda", 4096, "/pool/a"), 8192)]
