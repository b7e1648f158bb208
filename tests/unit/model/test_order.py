"""Orders travel as JSON and arrive as they left."""

from __future__ import annotations

import json

import pytest
from minicloud_core.model.errors import InputError
from minicloud_core.model.image import Image, ImageFile
from minicloud_core.model.order import DiskOrder, MigrationOrder, NicOrder, SeedOrder, VmOrder

DIGEST = "ab" * 32
IMAGE = Image(
    "tiny", "kernel", (ImageFile("kernel", "vmlinuz", DIGEST, 10, "http://x/k"), ImageFile("initrd", "i", DIGEST, 5))
)
ORDER = VmOrder(
    id="vm-101",
    uuid="3f0c1f2e-0000-4000-8000-000000000001",
    name="web01",
    project="default",
    state="running",
    epoch=3,
    spec_hash="9b1c",
    cpu=2,
    ram=1024,
    image=IMAGE,
    disks=(DiskOrder("vda", 1024**3),),
    nics=(NicOrder("default", "52:54:00:00:00:01"),),
    cloud_init=SeedOrder("#cloud-config\n{{ not a template }}", "instance-id: vm-101"),
    labels={"tier": "web"},
    operation="op-1",
    action="reboot",
    graceful=0,
)


def test_a_vm_order_survives_the_journey() -> None:
    assert VmOrder.from_mapping(json.loads(json.dumps(ORDER.to_mapping()))) == ORDER


def test_a_migration_order_survives_the_journey() -> None:
    order = MigrationOrder("vm-101", ORDER.uuid, "web01", 4, "node1", "node2", "qemu+tls://10.0.0.2/system", "10.0.0.2")
    assert MigrationOrder.from_mapping(json.loads(json.dumps(order.to_mapping()))) == order


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uuid": ""}, "uuid"),
        ({"state": "flying"}, "state"),
        ({"action": "explode"}, "action"),
        ({"image": {"kind": "floppy"}}, "image.kind"),
        ({"image": {"kind": "disk", "files": [{"role": "kernel", "name": "k", "sha256": DIGEST}]}}, "image.files"),
        (
            {"image": {"kind": "disk", "files": [{"role": "disk", "name": "../k", "sha256": DIGEST}]}},
            "image.files.0.name",
        ),
        ({"image": {"kind": "disk", "files": [{"role": "disk", "name": "k", "sha256": "zz"}]}}, "image.files.0.sha256"),
    ],
)
def test_an_incomplete_order_is_refused_by_its_field(change: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        VmOrder.from_mapping({**ORDER.to_mapping(), **change})
    assert caught.value.problems[0].field == field


def test_an_order_says_nothing_of_what_there_is_none_of() -> None:
    # Ansible refuses an explicit null where an option has choices.
    bare = VmOrder("vm-1", ORDER.uuid, "a", "default", "stopped", 1, "h", 1, 512)
    assert None not in bare.to_mapping().values()
    assert VmOrder.from_mapping(bare.to_mapping()) == bare
