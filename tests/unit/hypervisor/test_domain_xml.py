"""Domain XML: what is written is what is read, and what is not ours stays."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from minicloud_core.hypervisor.capabilities import HostCapabilities
from minicloud_core.hypervisor.definition import Definition, Disk, KernelBoot, Seed
from minicloud_core.hypervisor.domain_reader import read_definition
from minicloud_core.hypervisor.domain_xml import change_domain, render_domain
from minicloud_core.hypervisor.drift import differences
from minicloud_core.model.metadata import DomainMetadata, read_metadata
from minicloud_core.model.order import NicOrder

from tests.unit.hypervisor.strategies import DEFINITIONS

TCG = HostCapabilities("x86_64", "tcg", "q35", "maximum")
KVM = HostCapabilities("x86_64", "kvm", "q35", "host-model")
WEB = Definition(
    uuid="3f0c2a9e-8d55-4c0e-9a43-5a9d3b8f6f10",
    metadata=DomainMetadata("vm-101", "web01", "shop", "feed", 3),
    cpu=2,
    ram=1024,
    boot=KernelBoot("/boot/vmlinuz", "/boot/initrd.img", "console=ttyS0 minicloud.name=web01"),
    disks=(Disk("vda", path="/pool/a.qcow2"),),
    nics=(NicOrder("default", "52:54:00:00:00:01"),),
    labels={"tier": "web"},
)
ALL = frozenset(
    {
        *("cpu", "ram", "boot", "disks", "nics", "labels", "cloud_init", "name", "project", "spec_hash"),
        *("machine", "huge_pages", "pinned", "numa"),
    }
)


def parse(definition: Definition, capabilities: HostCapabilities = TCG) -> ElementTree.Element:
    return ElementTree.fromstring(render_domain(definition, capabilities, "/log/web01.log"))


@given(DEFINITIONS)
def test_what_is_rendered_is_read_back(definition: Definition) -> None:
    assert read_definition(render_domain(definition, TCG, "/log")) == definition


@pytest.mark.slow
@given(DEFINITIONS, DEFINITIONS)
def test_a_changed_domain_is_what_was_wanted(existing: Definition, other: Definition) -> None:
    # Disks that stay keep their volume: only the paths of new ones are taken from what is wanted.
    paths = {disk.name: disk for disk in existing.disks}
    wanted = replace(other, uuid=existing.uuid, disks=tuple(paths.get(disk.name, disk) for disk in other.disks))
    changed = read_definition(change_domain(render_domain(existing, TCG, "/log"), wanted, ALL))
    assert differences(changed, wanted) == {}
    assert changed.metadata.epoch == wanted.metadata.epoch
    assert {disk.name: disk.path for disk in changed.disks} == {disk.name: disk.path for disk in wanted.disks}


def test_a_domain_is_named_after_the_vms_id_and_titled_for_people() -> None:
    domain = parse(WEB)
    assert (domain.findtext("name"), domain.findtext("title")) == ("vm-101", "shop/web01")
    assert domain.findtext("uuid") == WEB.uuid


def test_the_identity_is_where_every_reader_looks() -> None:
    assert read_metadata(render_domain(WEB, TCG, "/log")) == WEB.metadata


def test_emulation_and_kvm_get_what_suits_them() -> None:
    emulated, accelerated = parse(WEB, TCG), parse(WEB, KVM)
    assert (emulated.get("type"), accelerated.get("type")) == ("qemu", "kvm")
    modes = [domain.find("cpu").get("mode") for domain in (emulated, accelerated)]  # type: ignore[union-attr]
    assert modes == ["maximum", "host-model"]
    assert parse(WEB, replace(TCG, cpu_mode="")).find("cpu") is None


def test_a_guest_gets_console_agent_entropy_and_a_balloon_that_reports() -> None:
    devices = parse(WEB).find("devices")
    assert devices is not None
    log = devices.find("serial/log")
    assert log is not None
    assert (log.get("file"), log.get("append")) == ("/log/web01.log", "on")
    assert devices.find("channel/target[@name='org.qemu.guest_agent.0']") is not None
    assert devices.find("rng[@model='virtio']") is not None
    assert devices.find("memballoon/stats[@period]") is not None


def test_without_a_kernel_the_first_disk_boots() -> None:
    assert parse(replace(WEB, boot=None)).find("os/boot[@dev='hd']") is not None
    assert parse(WEB).find("os/boot") is None


def test_a_seed_is_read_only_and_on_virtio() -> None:
    disk = parse(replace(WEB, seed=Seed("0" * 64, "/pool/seed.iso"))).find(
        "devices/disk/source[@file='/pool/seed.iso']/.."
    )
    assert disk is not None
    assert disk.find("readonly") is not None
    assert disk.find("target[@bus='virtio']") is not None


def test_a_change_leaves_alone_what_is_not_named() -> None:
    xml = render_domain(WEB, TCG, "/log").replace("</domain>", "<cputune><shares>500</shares></cputune></domain>")
    changed = change_domain(xml, replace(WEB, cpu=4, ram=2048), frozenset({"cpu"}))
    definition = read_definition(changed)
    assert (definition.cpu, definition.ram) == (4, 2048), "both sizes are one section"
    assert "<shares>500</shares>" in changed
    assert definition.disks == WEB.disks


def test_a_card_that_stays_keeps_its_address_on_the_bus() -> None:
    xml = render_domain(WEB, TCG, "/log").replace(
        '<mac address="52:54:00:00:00:01" />', '<mac address="52:54:00:00:00:01"/><address type="pci" slot="0x07"/>'
    )
    assert 'slot="0x07"' in xml
    more = replace(WEB, nics=(*WEB.nics, NicOrder("backend", "52:54:00:00:00:02")))
    assert 'slot="0x07"' in change_domain(xml, more, frozenset({"nics"}))
    moved = replace(WEB, nics=(NicOrder("backend", "52:54:00:00:00:01"),))
    assert 'slot="0x07"' not in change_domain(xml, moved, frozenset({"nics"}))


def test_a_foreign_domain_reads_as_one() -> None:
    foreign = read_definition(
        "<domain type='kvm'><name>legacy</name><uuid>3F0C2A9E-8D55-4C0E-9A43-5A9D3B8F6F10</uuid>"
        "<memory unit='KiB'>2097152</memory><vcpu placement='static'>2</vcpu>"
        "<devices><disk type='file' device='cdrom'/><disk type='network' device='disk'><target dev='sda'/></disk>"
        "<interface type='bridge'><source bridge='br0'/></interface></devices></domain>"
    )
    assert (foreign.metadata.id, foreign.metadata.epoch, foreign.ram, foreign.cpu) == ("legacy", -1, 2048, 2)
    assert [disk.name for disk in foreign.disks] == ["sda"]
    assert foreign.nics[0].network == "br0"
