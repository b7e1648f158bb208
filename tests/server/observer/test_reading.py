"""What a reading asks of a host: little, and what changes slowly not each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import libvirt
import pytest
from minicloud.observer import reading
from minicloud.observer.reading import Reader

from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class CountingConnection:
    """A connection to a real libvirtd that counts what is asked of it."""

    def __init__(self, connection: libvirt.virConnect) -> None:
        self._connection = connection
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*arguments: Any) -> Any:
            self.asked[name] += 1
            return getattr(self._connection, name)(*arguments)

        return ask


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateLibvirtd]:
    daemon = PrivateLibvirtd(tmp_path_factory.mktemp("read") / "d", "read")
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def connection(daemon: PrivateLibvirtd) -> Iterator[CountingConnection]:
    opened = libvirt.open(daemon.uri)
    yield CountingConnection(opened)
    opened.close()


def test_a_host_that_is_being_set_up_is_looked_at_each_time(
    daemon: PrivateLibvirtd, connection: CountingConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader("node1", connection)  # type: ignore[arg-type]
    seen = reader.read(NOW)
    assert (seen.disk_bytes, seen.pools, seen.images) == (0, {}, None)
    daemon.add_pool("default", tmp_path / "pool")
    seen = reader.read(NOW)
    assert seen.pools == {"default": seen.disk_bytes}
    assert seen.disk_bytes > 0
    daemon.add_pool("fast", tmp_path / "fast")
    connection.asked.clear()
    assert reader.read(NOW).pools == {"default": seen.disk_bytes}
    assert connection.asked == {"getAllDomainStats": 1, "getCPUStats": 1, "listNetworks": 1}
    monkeypatch.setattr(reading, "_FORGET_AFTER", 0.0)
    assert set(reader.read(NOW).pools or ()) == {"default", "fast"}


def test_what_guests_use_is_not_asked_for_at_every_event(
    daemon: PrivateLibvirtd, connection: CountingConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader("node1", connection)  # type: ignore[arg-type]
    for _event in range(3):
        reader.read(NOW)
    assert (connection.asked["getMemoryStats"], connection.asked["getAllDomainStats"]) == (1, 4)
    monkeypatch.setattr(reading, "_DEMAND_AFTER", 0.0)
    reader.read(NOW)
    assert (connection.asked["getMemoryStats"], connection.asked["getAllDomainStats"]) == (2, 6)


def test_a_guest_whose_disk_is_gone_is_seen_as_any_other(
    daemon: PrivateLibvirtd, connection: CountingConnection, tmp_path: Path
) -> None:
    xml = f"""<domain type='qemu'><name>bare</name><memory unit='MiB'>64</memory>
      <os><type arch='x86_64' machine='q35'>hvm</type></os>
      <devices><disk type='file'><source file='{tmp_path}/gone.raw'/><target dev='vda' bus='virtio'/></disk></devices>
    </domain>"""
    domain = libvirt.open(daemon.uri).defineXML(xml)
    try:
        (seen,) = Reader("node1", connection).read(NOW).domains  # type: ignore[arg-type]
        assert (seen.name, seen.state) == ("bare", "stopped")
    finally:
        domain.undefine()
