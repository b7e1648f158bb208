"""Choosing accelerator, machine and CPU from what libvirt says a host can do."""

from __future__ import annotations

import pytest
from minicloud_core.hypervisor.capabilities import (
    Guest,
    choose,
    read_cpu_mode,
    read_guest,
    read_host_architecture,
    read_host_uuid,
)
from minicloud_core.model.errors import HypervisorError

HOST = """<capabilities>
  <host><uuid>11111111-2222-3333-4444-555555555555</uuid><cpu><arch>x86_64</arch></cpu></host>
  <guest><os_type>hvm</os_type><arch name='i686'><machine>pc</machine><domain type='qemu'/></arch></guest>
  <guest><os_type>hvm</os_type><arch name='x86_64'>
    <machine canonical='pc-i440fx-7.2'>pc</machine><machine canonical='pc-q35-7.2'>q35</machine>
    <domain type='qemu'/><domain type='kvm'/></arch></guest>
</capabilities>"""
MODES = """<domainCapabilities><cpu>
  <mode name='host-passthrough' supported='yes'/><mode name='maximum' supported='yes'/>
  <mode name='host-model' supported='{host_model}'/></cpu></domainCapabilities>"""


def test_the_host_is_read() -> None:
    assert read_host_uuid(HOST) == "11111111-2222-3333-4444-555555555555"
    assert read_host_architecture(HOST) == "x86_64"
    assert read_guest(HOST, "x86_64") == Guest(("kvm", "tcg"), ("pc", "q35"))
    assert read_guest(HOST, "i686") == Guest(("tcg",), ("pc",))
    assert read_guest(HOST, "aarch64") is None


@pytest.mark.parametrize(
    ("guest", "accelerator", "chosen"),
    [
        (Guest(("kvm", "tcg"), ("pc", "q35")), "auto", ("kvm", "q35")),
        (Guest(("kvm", "tcg"), ("pc", "q35")), "tcg", ("tcg", "q35")),
        (Guest(("tcg",), ("pc",)), "auto", ("tcg", "pc")),
    ],
)
def test_the_best_is_chosen_unless_another_must_be(guest: Guest, accelerator: str, chosen: tuple[str, str]) -> None:
    assert choose(guest, "x86_64", accelerator) == chosen


@pytest.mark.parametrize(
    ("guest", "architecture", "accelerator", "words"),
    [
        (None, "aarch64", "auto", "no emulator for aarch64"),
        (Guest((), ("q35",)), "x86_64", "auto", "no emulator"),
        (Guest(("tcg",), ("q35",)), "x86_64", "kvm", "cannot run x86_64 guests with kvm"),
        (Guest(("tcg",), ("isapc",)), "x86_64", "auto", "no machine type"),
    ],
)
def test_what_the_host_cannot_do_is_said(guest: Guest | None, architecture: str, accelerator: str, words: str) -> None:
    with pytest.raises(HypervisorError, match=words):
        choose(guest, architecture, accelerator)


def test_the_cpu_follows_the_accelerator() -> None:
    xml = MODES.format(host_model="yes")
    assert (read_cpu_mode(xml, "kvm"), read_cpu_mode(xml, "tcg")) == ("host-model", "maximum")
    assert read_cpu_mode(MODES.format(host_model="no"), "kvm") == ""
