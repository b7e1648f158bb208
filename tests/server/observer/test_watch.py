"""One host under observation: a real libvirtd, real events, and a daemon that hangs, dies and comes back."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import libvirt
import pytest
from minicloud.observer import reading
from minicloud.observer.console import read_console
from minicloud.observer.watch import HostWatch
from minicloud.services.view.observation import DomainObservation, HostObservation
from minicloud_core.model.errors import UnavailableError
from minicloud_core.model.metadata import DomainMetadata

from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

OURS = DomainMetadata("vm-101", "web01", "default", "d559138b1690660b", 3)
UUID = "cd7c383d-fe25-4d65-ac67-7ccd5a356b75"


def domain_xml(name: str, uuid: str, metadata: str = "") -> str:
    """A guest that needs no image: its firmware finds nothing to boot and waits."""
    return f"""
    <domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><metadata>{metadata}</metadata>
      <memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>
    """


def metadata_xml(epoch: int) -> str:
    return (
        '<minicloud:vm xmlns:minicloud="urn:minicloud:libvirt:1" id="vm-101" name="web01" project="default"'
        f' spec_hash="d559138b1690660b" epoch="{epoch}"/>'
    )


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateLibvirtd]:
    folder = tmp_path_factory.mktemp("observed")
    daemon = PrivateLibvirtd(folder / "d", "observed")
    daemon.start()
    try:
        daemon.add_pool("default", folder / "pool")
        daemon.add_pool("minicloud-console", folder / "console")
        daemon.add_pool("minicloud-images", folder / "images")
        yield daemon
    finally:
        daemon.stop()


@dataclass
class Notebook:
    """What a watch recorded."""

    observations: list[HostObservation] = field(default_factory=list)
    silences: list[str] = field(default_factory=list)

    def record(self, observation: HostObservation) -> None:
        self.observations.append(observation)

    def record_silence(self, _host: str, reason: str) -> None:
        self.silences.append(reason)

    def domain(self, name: str) -> DomainObservation | None:
        if not self.observations:
            return None
        return next((one for one in self.observations[-1].domains if one.name == name), None)

    def state(self, name: str) -> str | None:
        domain = self.domain(name)
        return None if domain is None else domain.state


def wait_for(found: Callable[[], object], seconds: float = 5) -> float:
    begun = time.monotonic()
    while not found():
        assert time.monotonic() - begun < seconds
        time.sleep(0.01)
    return time.monotonic() - begun


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


StartWatch = Callable[..., HostWatch]


@pytest.fixture
def start_watch(daemon: PrivateLibvirtd, notebook: Notebook, tmp_path: Path) -> Iterator[StartWatch]:
    """Start a watch; it reads by itself once a minute, so that what comes sooner comes from events."""
    started = []

    def start(*, interval: float = 60, uri: str = "") -> HostWatch:
        watch = HostWatch(
            "node1",
            uri or daemon.uri,
            tmp_path,
            interval=interval,
            clock=lambda: datetime.now(UTC),
            record=notebook.record,
            record_silence=notebook.record_silence,
        )
        watch.start()
        started.append(watch)
        return watch

    yield start
    for watch in started:
        watch.stop()
    for watch in started:
        watch.join(5)


@pytest.fixture
def guest(daemon: PrivateLibvirtd) -> Iterator[libvirt.virDomain]:
    """A domain of ours, defined and not started."""
    connection = libvirt.open(daemon.uri)
    domain = connection.defineXML(domain_xml("vm-101", UUID, metadata_xml(3)))
    yield domain
    if domain.isActive():
        domain.destroy()
    domain.undefine()
    connection.close()


def test_a_host_shows_what_it_is(start_watch: StartWatch, notebook: Notebook) -> None:
    start_watch()
    wait_for(lambda: notebook.observations)
    seen = notebook.observations[0]
    assert seen.cpu == os.cpu_count()
    assert seen.ram_mib > 256
    assert seen.disk_bytes > 0
    assert (seen.architecture, seen.accelerator) == ("x86_64", "tcg")
    assert set(seen.versions) == {"libvirt", "qemu"}
    # Every x86-64 guest has these, whatever it runs on.
    assert {"sse2", "lm", "cx8"} <= set(seen.cpu_features)
    assert seen.networks == ()
    assert seen.load is None
    # The test's kernel may show a container more memory than its nodes have, or less.
    assert seen.numa
    assert sum(node.cpu for node in seen.numa) == seen.cpu
    assert all(node.ram_mib > node.huge_pages_mib >= 0 for node in seen.numa)
    assert seen.machines is not None
    assert {"pc", "q35", "microvm"} <= set(seen.machines)
    assert seen.measured.memory is not None
    assert 0 < seen.measured.memory < 1
    assert seen.measured.pressure is None


def test_pools_for_disks_are_told_and_images_by_their_folders(
    daemon: PrivateLibvirtd, start_watch: StartWatch, notebook: Notebook
) -> None:
    cache = daemon.folder.parent / "images"
    folders = [cache / "tiny-0123456789ab-0123456789ab", cache / ".debian-12-0123456789ab.partial"]
    for folder in folders:
        folder.mkdir()
    try:
        start_watch()
        wait_for(lambda: notebook.observations)
    finally:
        for folder in folders:
            folder.rmdir()
    seen = notebook.observations[0]
    assert seen.pools == {"default": seen.disk_bytes}
    assert seen.images == ("tiny",)


def test_what_guests_use_is_measured_from_the_second_reading_on(
    start_watch: StartWatch, notebook: Notebook, guest: libvirt.virDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_DEMAND_AFTER", 1.0)
    guest.create()
    start_watch(interval=1.1)
    wait_for(lambda: notebook.observations and notebook.observations[-1].measured.pressure is not None)
    measured = notebook.observations[-1].measured
    assert measured.pressure is not None
    assert 0 <= measured.pressure <= 1
    # A guest without disks and cards sends nothing, and waits for none.
    assert (measured.network_mbps, measured.io_latency_ms) == (0, None)


def test_load_is_measured_from_the_second_reading_on(start_watch: StartWatch, notebook: Notebook) -> None:
    start_watch(interval=1.1)
    wait_for(lambda: notebook.observations and notebook.observations[-1].load is not None)
    load = notebook.observations[-1].load
    assert load is not None
    assert 0 <= load <= 1


def test_what_happens_behind_our_back_is_seen_within_a_second(
    start_watch: StartWatch, notebook: Notebook, guest: libvirt.virDomain
) -> None:
    start_watch()
    wait_for(lambda: notebook.state("vm-101") == "stopped")
    for act, state in (
        (guest.create, "running"),
        (guest.suspend, "paused"),
        (guest.resume, "running"),
        (guest.destroy, "stopped"),
    ):
        act()
        assert wait_for(lambda state=state: notebook.state("vm-101") == state) < 1
    assert notebook.silences == []


def test_ours_are_told_from_others_and_a_new_epoch_is_seen(
    start_watch: StartWatch, notebook: Notebook, guest: libvirt.virDomain
) -> None:
    start_watch()
    wait_for(lambda: notebook.domain("vm-101"))
    connection = guest.connect()
    foreign = connection.defineXML(domain_xml("theirs", "11111111-2222-4333-8444-555555555555"))
    try:
        wait_for(lambda: notebook.domain("theirs"))
        theirs, ours = notebook.domain("theirs"), notebook.domain("vm-101")
        assert theirs is not None
        assert theirs.metadata is None
        assert ours is not None
        assert ours.metadata == OURS
        connection.defineXML(domain_xml("vm-101", UUID, metadata_xml(4)))
        wait_for(lambda: (seen := notebook.domain("vm-101")) and seen.metadata and seen.metadata.epoch == 4)
    finally:
        foreign.undefine()
    wait_for(lambda: notebook.domain("theirs") is None)


def test_a_host_that_never_answers_is_silent_and_tried_again(start_watch: StartWatch, notebook: Notebook) -> None:
    start_watch(uri="qemu+tls://127.0.0.1:1/system")
    wait_for(lambda: len(notebook.silences) >= 2)
    assert "127.0.0.1:1 cannot be reached: Connection refused" in notebook.silences[0]
    assert notebook.observations == []


def test_a_daemon_that_hangs_is_noticed_and_seen_again_when_it_goes_on(
    daemon: PrivateLibvirtd, start_watch: StartWatch, notebook: Notebook
) -> None:
    watch = start_watch(interval=0.5)
    wait_for(lambda: notebook.observations)
    pid = libvirtd_of(daemon)
    os.kill(pid, signal.SIGSTOP)
    try:
        # The watch is stuck in a call for as long as pings may go unanswered; somebody else can tell.
        wait_for(lambda: watch.silence > 2, 10)
        watch.report_stuck()
        assert notebook.silences == ["libvirt there has not answered for 2 s"]
        heard = len(notebook.observations)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: len(notebook.observations) > heard, 20)


def libvirtd_of(daemon: PrivateLibvirtd) -> int:
    """The daemon's process among those of its namespace."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"libvirtd") and f"{daemon.folder}/libvirtd.conf".encode() in words:
            return int(path.name)
    raise AssertionError("the daemon does not run")


def test_stopping_is_prompt(start_watch: StartWatch, notebook: Notebook) -> None:
    watch = start_watch()
    wait_for(lambda: notebook.observations)
    begun = time.monotonic()
    watch.stop()
    watch.join(5)
    assert time.monotonic() - begun < 1
    assert not watch.connected


def test_the_end_of_a_console_is_read(daemon: PrivateLibvirtd, tmp_path: Path) -> None:
    log = daemon.folder.parent / "console" / f"{UUID}.log"
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    assert read_console(daemon.uri, tmp_path, UUID, 12) == b"\nline 99999\n"
    whole = read_console(daemon.uri, tmp_path, UUID, 10**9)
    assert whole == log.read_bytes()
    with log.open("ab") as stream:
        stream.write(b"more\n")
    assert read_console(daemon.uri, tmp_path, UUID, 5) == b"more\n"


def test_a_console_that_was_not_written_is_empty(daemon: PrivateLibvirtd, tmp_path: Path) -> None:
    assert read_console(daemon.uri, tmp_path, "11111111-2222-4333-8444-555555555555", 100) == b""


def test_a_host_that_cannot_be_asked_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        read_console("qemu+tls://127.0.0.1:1/system", tmp_path, UUID, 100)
