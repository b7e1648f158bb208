"""Live migration between two real libvirtds, by the real modules."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hypervisor.guest import TinyGuest, await_console, await_lines
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd
from tests.integration.hypervisor.real_module import carry_out, run_module

Order = dict[str, Any]


class Pair:
    """Two hosts with the same paths, nothing shared, and a cable between them."""

    def __init__(self, first: PrivateLibvirtd, second: PrivateLibvirtd) -> None:
        self.first = first
        self.second = second

    def connect(self) -> None:
        _run("ip", "link", "add", "cable", "netns", str(self.first.pid), "type", "veth", "peer", "name", "cable",
             "netns", str(self.second.pid))  # fmt: skip
        for host, number in ((self.first, 1), (self.second, 2)):
            _run(*host.inside("ip", "address", "add", f"192.0.2.{number}/24", "dev", "cable"))
            _run(*host.inside("ip", "link", "set", "cable", "up"))

    def migration(self, order: Order, **more: Any) -> dict[str, Any]:
        """Arguments that move a VM from the first host to the second."""
        return {
            "id": order["id"],
            "destination_uri": self.second.uri,
            "migrate_host": "192.0.2.2",
            "source": "hv1",
            "destination": "hv2",
            "timeout": 90,
            **more,
        }


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    hosts = [PrivateLibvirtd(folder / name, name) for name in ("hv1", "hv2")]
    try:
        for host in hosts:
            host.start()
            host.virsh("pool-create-as", "default", "dir", "--target", "/var/lib/libvirt/images")
            _run(*host.inside("mkdir", "-p", "/var/lib/minicloud/console"))
            host.virsh("pool-create-as", "minicloud-console", "dir", "--target", "/var/lib/minicloud/console")
        pair = Pair(*hosts)
        pair.connect()
        yield pair
    finally:
        for host in hosts:
            host.stop()


_NUMBERS = count(201)


@pytest.fixture
def order(guest: TinyGuest, pair: Pair) -> Iterator[Order]:
    vm_id = f"vm-{next(_NUMBERS)}"
    yield {
        "id": vm_id,
        "name": f"roamer-{vm_id[3:]}",
        "ram": "128M",
        "image": guest.image(),
        "nics": [],
        "state": "running",
        "epoch": 1,
    }
    for host in (pair.first, pair.second):
        carry_out(host, "vm", {"id": vm_id, "state": "absent"})


def test_a_guest_goes_on_where_it_was(pair: Pair, order: Order) -> None:
    made = carry_out(pair.first, "vm", order)
    await_console(_log(pair.first, made), "ticks 1\n")
    fetched = run_module(pair.second, "image", {"images": [order["image"]]})
    assert fetched["changed"] is True

    foreseen = run_module(pair.first, "migration", pair.migration(order), "--check")
    assert foreseen["changed"] is True
    assert pair.first.virsh("domstate", order["id"]) == "running"

    moved = run_module(pair.first, "migration", pair.migration(order, epoch=2, operation="op-move"))["migration"]
    assert (moved["error"], moved["changed"], moved["state"]) == (None, True, "running")
    assert (moved["before"]["host"], moved["after"]["host"], moved["operation"]) == ("hv1", "hv2", "op-move")
    assert moved["total_ms"] > 0
    assert 0 < moved["downtime_ms"] < moved["total_ms"]
    assert moved["transferred"] > 1_000_000
    assert pair.second.virsh("domstate", order["id"]) == "running"
    assert order["id"] in pair.second.virsh("list", "--persistent", "--name").split()
    assert order["id"] not in pair.first.virsh("list", "--all", "--name").split()
    assert 'epoch="2"' in pair.second.virsh("dumpxml", order["id"]).replace("'", '"')
    assert not _log(pair.first, made).exists()

    # What it printed on its way is lost, so the next number is not known; that it is higher, is.
    reached = _ticks(_log(pair.second, made).read_text())[-1]
    printed = await_lines(_log(pair.second, made), lambda text: _ticks(text)[-1] > reached)
    assert "ticks 0\n" in printed, "what was printed before the move is on the new host"
    assert _ticks(printed) == sorted(set(_ticks(printed))), "the guest was not started over"

    repeated = carry_out(pair.first, "migration", pair.migration(order, epoch=2))
    assert (repeated["error"], repeated["changed"], repeated["state"]) == (None, False, "running")


def test_disks_and_seed_come_along_when_nothing_is_shared(pair: Pair, order: Order) -> None:
    order |= {"disks": [{"size": "8M"}], "cloud_init": {"user_data": "#cloud-config\n{}\n"}}
    made = carry_out(pair.first, "vm", order)
    await_console(_log(pair.first, made), "ticks 0\n")
    carry_out(pair.second, "image", order["image"])
    seed = f"/var/lib/libvirt/images/{made['uuid']}-seed.iso"
    before = _run(*pair.first.inside("sha256sum", seed))

    moved = carry_out(pair.first, "migration", pair.migration(order, copy_storage=True))
    assert (moved["error"], moved["changed"]) == (None, True)
    assert _run(*pair.second.inside("sha256sum", seed)) == before
    assert pair.first.virsh("vol-list", "default") == ""
    volumes = {line.split()[0] for line in pair.second.virsh("vol-list", "default").splitlines()}
    assert volumes == {f"{made['uuid']}-vda.qcow2", f"{made['uuid']}-seed.iso"}

    carry_out(pair.second, "vm", {"id": order["id"], "state": "absent"})
    assert pair.second.virsh("vol-list", "default") == ""


def test_a_vm_that_is_off_moves_with_its_disks(pair: Pair, order: Order) -> None:
    order |= {"state": "stopped", "disks": [{"size": "8M"}]}
    made = carry_out(pair.first, "vm", order)
    _run(*pair.first.inside("qemu-io", "-c", "write -P 7 1M 1M", f"/var/lib/libvirt/images/{made['uuid']}-vda.qcow2"))

    moved = carry_out(pair.first, "migration", pair.migration(order, copy_storage=True))
    assert (moved["error"], moved["changed"], moved["state"]) == (None, True, "stopped")
    assert pair.second.virsh("domstate", order["id"]) == "shut off"
    copy = f"/var/lib/libvirt/images/{made['uuid']}-vda.qcow2"
    assert "Pattern verification failed" not in _run(
        *pair.second.inside("qemu-io", "-r", "-c", "read -P 7 1M 1M", copy)
    )
    assert pair.first.virsh("vol-list", "default") == ""


def test_too_slow_a_migration_is_aborted_and_the_vm_stays(pair: Pair, order: Order) -> None:
    order |= {"disks": [{"size": "8M"}]}
    made = carry_out(pair.first, "vm", order)
    await_console(_log(pair.first, made), "ticks 0\n")
    carry_out(pair.second, "image", order["image"])

    slow = pair.migration(order, copy_storage=True, bandwidth_mib=1, timeout=2)
    failed = carry_out(pair.first, "migration", slow)
    assert (failed["failed"], failed["changed"], failed["state"]) == (True, False, "running")
    assert failed["error"]["code"] == "minicloud.hypervisor.timeout"
    assert "still running on hv1" in failed["error"]["message"]
    assert failed["progress"]
    assert pair.first.virsh("domstate", order["id"]) == "running"
    assert pair.second.virsh("list", "--all", "--name") == ""
    assert pair.second.virsh("vol-list", "default") == "", "what was copied is removed again"


def test_a_destination_without_the_image_says_so_and_the_vm_stays(pair: Pair, order: Order, guest: TinyGuest) -> None:
    order["image"] = guest.image("unseen")
    carry_out(pair.first, "vm", order)
    failed = carry_out(pair.first, "migration", pair.migration(order))
    assert (failed["failed"], failed["state"]) == (True, "running")
    assert "unseen" in failed["error"]["message"], "libvirt's own words are passed on"
    assert pair.first.virsh("domstate", order["id"]) == "running"


def test_an_older_order_is_refused(pair: Pair, order: Order) -> None:
    carry_out(pair.first, "vm", {**order, "state": "stopped", "epoch": 7})
    refused = carry_out(pair.first, "migration", pair.migration(order, epoch=6))
    assert refused["error"]["code"] == "minicloud.operation.stale_epoch"
    assert pair.first.virsh("domstate", order["id"]) == "shut off"


def test_a_vm_that_is_nowhere_is_not_found(pair: Pair) -> None:
    missing = carry_out(pair.first, "migration", pair.migration({"id": "vm-999"}))
    assert missing["error"]["code"] == "minicloud.resource.not_found"


def _log(host: PrivateLibvirtd, made: dict[str, Any]) -> Path:
    """The serial log, seen from outside the host's namespaces."""
    return Path(f"/proc/{host.pid}/root/var/lib/minicloud/console/{made['uuid']}.log")


def _ticks(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"ticks (\d+)\s", text)]


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


def test_a_pinned_guest_gets_threads_that_are_free_where_it_arrives(pair: Pair, order: Order) -> None:
    """Both hosts are this machine: the same threads, and books of their own about who has them."""
    others = {**order, "id": f"{order['id']}-b", "name": f"{order['name']}-b", "pinned": True, "state": "present"}
    assert carry_out(pair.second, "vm", others)["error"] is None
    taken = _pins(pair.second, others["id"])
    try:
        assert carry_out(pair.first, "vm", {**order, "pinned": True, "numa": [0]})["error"] is None
        before = _pins(pair.first, order["id"])
        assert before == taken, "each host deals its threads out in the same order"
        moved = carry_out(pair.first, "migration", pair.migration(order, epoch=2))
        assert (moved["error"], moved["state"]) == (None, "running")
        live, kept = _pins(pair.second, order["id"]), _pins(pair.second, order["id"], "--inactive")
        assert live == kept
        assert set(live).isdisjoint(taken)
        node = pair.second.virsh("dumpxml", order["id"])
        assert "nodeset='0'" in node
    finally:
        carry_out(pair.second, "vm", {"id": others["id"], "state": "absent"})


def _pins(host: PrivateLibvirtd, vm_id: str, *flags: str) -> list[str]:
    return re.findall(r"<vcpupin vcpu='\d+' cpuset='([^']+)'/>", host.virsh("dumpxml", vm_id, *flags))
