"""Disks, seeds and images of VMs on a real libvirtd."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from minicloud_core.hypervisor.host import Hypervisor
from minicloud_core.hypervisor.image_work import drop_image, have_image

from tests.integration.hypervisor.conftest import Apply
from tests.integration.hypervisor.guest import TinyGuest
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

Order = dict[str, Any]
MIB = 1024**2


def volumes(daemon: PrivateLibvirtd) -> dict[str, str]:
    """Paths of the volumes in the pool, by name."""
    lines = daemon.virsh("vol-list", "default").splitlines()
    return dict(line.split(maxsplit=1) for line in lines)


def disk_image(folder: Path, *, name: str = "cirros", size: str = "16M") -> dict[str, Any]:
    """A disk image with something recognisable in it."""
    path = folder / "disk.qcow2"
    _run("qemu-img", "create", "-q", "-f", "qcow2", str(path), size)
    _run("qemu-io", "-c", "write -q -P 5 1M 1M", str(path))
    content = path.read_bytes()
    return {
        "name": name,
        "kind": "disk",
        "files": [
            {
                "role": "disk",
                "name": "disk.qcow2",
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "url": path.as_uri(),
            }
        ],
    }


def test_volumes_come_and_go_with_the_vm_and_no_others(apply: Apply, order: Order, daemon: PrivateLibvirtd) -> None:
    daemon.virsh("vol-create-as", "default", "somebody-elses.qcow2", "1M", "--format", "qcow2")
    made = apply(order, disks=[{"size": "8M"}, {"size": "16M", "name": "vdb"}])
    assert made["error"] is None
    uuid = made["uuid"]
    assert set(volumes(daemon)) == {f"{uuid}-vda.qcow2", f"{uuid}-vdb.qcow2", "somebody-elses.qcow2"}
    assert [(disk["name"], disk["size"]) for disk in made["after"]["disks"]] == [("vda", 8 * MIB), ("vdb", 16 * MIB)]
    assert apply(order, disks=[{"size": "8M"}, {"size": "16M"}])["changed"] is False
    assert apply(order)["changed"] is False, "disks that are not named stay"

    assert apply(order, state="absent")["error"] is None
    assert set(volumes(daemon)) == {"somebody-elses.qcow2"}
    daemon.virsh("vol-delete", "somebody-elses.qcow2", "default")


def test_what_a_dead_run_left_is_removed_too(apply: Apply, order: Order, daemon: PrivateLibvirtd) -> None:
    made = apply(order, state="stopped", disks=[{"size": "8M"}])
    daemon.virsh("undefine", order["id"])
    assert set(volumes(daemon)) == {f"{made['uuid']}-vda.qcow2"}
    removed = apply(order, state="absent")
    assert (removed["changed"], volumes(daemon)) == (True, {})
    assert apply(order, state="absent")["changed"] is False


def test_a_lost_domain_gets_its_disk_back_with_its_data(apply: Apply, order: Order, daemon: PrivateLibvirtd) -> None:
    made = apply(order, state="stopped", disks=[{"size": "8M"}])
    path = volumes(daemon)[f"{made['uuid']}-vda.qcow2"]
    _run("qemu-io", "-c", "write -q -P 9 1M 1M", path)
    daemon.virsh("undefine", order["id"])
    # Not even the pool may know of it: it came from another host that shares the storage.
    Path(path).rename(path + ".aside")
    daemon.virsh("pool-refresh", "default")
    Path(path + ".aside").rename(path)

    again = apply(order, state="stopped", disks=[{"size": "8M"}])
    assert (again["changed"], again["uuid"], again["error"]) == (True, made["uuid"], None)
    assert "failed" not in _run("qemu-io", "-r", "-c", "read -P 9 1M 1M", path)


def test_a_disk_grows_and_does_not_shrink(apply: Apply, order: Order) -> None:
    apply(order, state="stopped", disks=[{"size": "8M"}])
    grown = apply(order, state="stopped", disks=[{"size": "16M"}])
    assert (grown["changed"], grown["after"]["disks"][0]["size"]) == (True, 16 * MIB)
    running = apply(order, disks=[{"size": "32M"}])
    assert running["error"] is None
    live = apply(order, disks=[{"size": "64M"}])
    assert (live["changed"], live["after"]["disks"][0]["size"]) == (True, 64 * MIB)
    shrunk = apply(order, disks=[{"size": "8M"}])
    assert shrunk["error"]["code"] == "minicloud.resource.conflict"
    assert "cannot shrink" in shrunk["error"]["message"]
    assert apply(order, disks=[{"size": "64M"}])["changed"] is False


def test_a_disk_that_is_no_longer_named_leaves_the_domain_and_keeps_its_data(
    apply: Apply, order: Order, daemon: PrivateLibvirtd
) -> None:
    made = apply(order, state="stopped", disks=[{"size": "8M"}, {"size": "8M"}])
    fewer = apply(order, state="stopped", disks=[{"size": "8M"}])
    assert [disk["name"] for disk in fewer["after"]["disks"]] == ["vda"]
    assert f"{made['uuid']}-vdb.qcow2" in volumes(daemon)
    apply(order, state="absent")
    assert volumes(daemon) == {}


def test_the_first_disk_of_a_disk_image_lies_over_it(
    apply: Apply, order: Order, daemon: PrivateLibvirtd, tmp_path: Path, hypervisor: Hypervisor
) -> None:
    image = disk_image(tmp_path)
    made = apply(order, state="stopped", image=image, kernel=None, initrd=None, disks=[{}, {"size": "8M"}])
    assert made["error"] is None
    assert [disk["size"] for disk in made["after"]["disks"]] == [16 * MIB, 8 * MIB]
    assert made["after"]["boot"] is None
    path = volumes(daemon)[f"{made['uuid']}-vda.qcow2"]
    assert "failed" not in _run("qemu-io", "-r", "-c", "read -P 5 1M 1M", path), "the image shows through"
    backing = _run("qemu-img", "info", path)
    assert f"backing file: {hypervisor.layout.images}/cirros-" in backing

    in_use = drop_image(hypervisor.connection, hypervisor.layout.images, {"name": "cirros"}, check=False)
    assert in_use.error is not None
    assert order["id"] in in_use.error.message

    apply(order, state="absent")
    dropped = drop_image(hypervisor.connection, hypervisor.layout.images, {"name": "cirros"}, check=False)
    assert (dropped.error, dropped.changed) == (None, True)
    assert not list(hypervisor.layout.images.glob("cirros*"))


def test_an_overlay_cannot_be_smaller_than_its_image(apply: Apply, order: Order, tmp_path: Path) -> None:
    failed = apply(order, image=disk_image(tmp_path, size="16M"), kernel=None, initrd=None, disks=[{"size": "8M"}])
    assert failed["error"]["code"] == "minicloud.input.invalid"
    assert failed["error"]["field"] == "disks.0.size"


def test_a_seed_reaches_the_guest_byte_for_byte(
    apply: Apply, order: Order, daemon: PrivateLibvirtd, tmp_path: Path
) -> None:
    user_data = '#cloud-config\r\npassword: \'{{ lookup("pipe", "id") }} $HOME äöü \\n\'\n\ttab, no end of line'
    seed = {"user_data": user_data, "meta_data": "instance-id: i-1\n", "network_config": "version: 2\n"}
    made = apply(order, state="stopped", cloud_init=seed)
    assert made["error"] is None
    path = volumes(daemon)[f"{made['uuid']}-seed.iso"]
    for name, content in (
        ("user-data", user_data),
        ("meta-data", seed["meta_data"]),
        ("network-config", "version: 2\n"),
    ):
        extracted = subprocess.run(
            ["isoinfo", "-R", "-i", path, "-x", f"/{name}"], check=True, capture_output=True, timeout=30
        ).stdout
        assert extracted == content.encode()
    assert "Volume id: cidata" in _run("isoinfo", "-d", "-i", path)
    disk = [
        line for line in daemon.virsh("dumpxml", order["id"]).splitlines() if "seed.iso" in line or "readonly" in line
    ]
    assert len(disk) == 2, "attached, and read-only"

    assert apply(order, state="stopped", cloud_init=seed)["changed"] is False
    assert apply(order, state="stopped")["changed"] is False, "a seed that is not named stays"
    changed = apply(order, state="stopped", cloud_init={**seed, "user_data": "#cloud-config\n"})
    assert changed["changed"]
    assert _run("isoinfo", "-R", "-i", path, "-x", "/user-data") == "#cloud-config\n"
    apply(order, state="absent")
    assert volumes(daemon) == {}


def test_a_vm_boots_an_image_that_is_fetched_for_it(
    apply: Apply, order: Order, guest: TinyGuest, hypervisor: Hypervisor
) -> None:
    image = guest.image("fetched")
    made = apply(order, image=image, kernel=None, initrd=None, cmdline=None)
    assert made["error"] is None
    folder = next(hypervisor.layout.images.glob("fetched-*"))
    assert sorted(path.name for path in folder.iterdir()) == ["initrd.img", "vmlinuz"]
    assert made["after"]["boot"]["kernel"] == str(folder / "vmlinuz")
    assert made["after"]["boot"]["cmdline"] == f"console=ttyS0 quiet minicloud.name={order['name']}"
    assert apply(order, image=image, kernel=None, initrd=None, cmdline=None)["changed"] is False
    assert have_image(hypervisor.layout.images, image, timeout=5, check=False).changed is False
    assert not [path for path in hypervisor.layout.images.iterdir() if path.name.startswith(".")], "no locks, no scraps"


def test_a_vm_whose_image_is_wrong_is_not_made(
    apply: Apply, order: Order, guest: TinyGuest, daemon: PrivateLibvirtd, hypervisor: Hypervisor
) -> None:
    image = guest.image("wrong")
    image["files"][1]["sha256"] = "0" * 64
    failed = apply(order, image=image, kernel=None, initrd=None, cmdline=None)
    assert failed["error"]["code"] == "minicloud.image.unusable"
    assert failed["error"]["details"]["file"] == "initrd.img"
    assert failed["error"]["details"]["expected"] == "0" * 64
    assert not [path for path in hypervisor.layout.images.iterdir() if "wrong" in path.name]
    assert order["id"] not in daemon.virsh("list", "--all", "--name").split()


@pytest.mark.parametrize("model", ["virtio", "e1000"])
def test_a_card_keeps_its_mac(apply: Apply, order: Order, daemon: PrivateLibvirtd, model: str) -> None:
    made = apply(order, nics=[{"network": "default", "model": model}])
    assert made["error"] is None
    mac = made["after"]["nics"][0]["mac"]
    assert mac.startswith("52:54:00:")
    assert mac in daemon.virsh("domiflist", order["id"])
    assert apply(order, nics=[{"network": "default", "model": model}])["changed"] is False
    two = apply(order, nics=[{"network": "default", "model": model}, {"network": "default", "model": model}])
    assert two["after"]["nics"][0]["mac"] == mac
    assert two["restart_required"]


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
