"""Huge pages, set aside by this machine for as long as the test takes: told, given to a guest, and given back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest
from minicloud.observer.capabilities import read_numa
from minicloud_core.hypervisor.apply import apply_order
from minicloud_core.hypervisor.host import Layout, open_hypervisor

from tests.integration.hypervisor.guest import TinyGuest
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

# 2 MiB each: a guest of 64 MiB, and some for whoever else takes one meanwhile.
WANTED = 40
_SET_ASIDE = Path("/proc/sys/vm/nr_hugepages")
_COMPACT = Path("/proc/sys/vm/compact_memory")


def _pages(word: str) -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"HugePages_{word}:"))


@pytest.fixture
def pages() -> Iterator[int]:
    """Pages of this machine's memory, as many as there are then."""
    before = _SET_ASIDE.read_text()
    _COMPACT.write_text("1")
    _SET_ASIDE.write_text(str(int(before) + WANTED))
    try:
        assert _pages("Free") >= WANTED, "this machine's memory is too scattered for huge pages"
        yield _pages("Total")
    finally:
        _SET_ASIDE.write_text(before)


@pytest.fixture
def daemon(pages: int, tmp_path: Path) -> Iterator[PrivateLibvirtd]:
    daemon = PrivateLibvirtd(tmp_path / "d", "huge", huge_pages=True)
    daemon.start()
    yield daemon
    daemon.stop()


def test_a_guest_runs_in_huge_pages_that_its_host_told_of(
    daemon: PrivateLibvirtd, pages: int, guest: TinyGuest
) -> None:
    connection = libvirt.open(daemon.uri)
    assert sum(node.huge_pages_mib for node in read_numa(connection.getCapabilities())) == 2 * pages
    connection.close()
    free = _pages("Free")
    order = {
        "name": "huge",
        "ram": "64M",
        "kernel": str(guest.kernel),
        "initrd": str(guest.initrd),
        "nics": [],
        "state": "running",
        "huge_pages": True,
        "numa": [0],
        "pinned": True,
    }
    with open_hypervisor(daemon.uri, Layout(daemon.folder / "minicloud")) as hypervisor:
        made = apply_order(hypervisor, order).to_mapping()
        assert (made["error"], made["state"]) == (None, "running")
        assert _pages("Free") == free - 32
        gone = apply_order(hypervisor, {"name": "huge", "state": "absent"}).to_mapping()
        assert (gone["error"], _pages("Free")) == (None, free)
