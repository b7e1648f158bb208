"""The modules that work on libvirt, without one: what they accept, and what they say when something is missing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from minicloud_core.hypervisor.completion import complete
from minicloud_core.model.image import Image, ImageFile
from minicloud_core.model.order import DiskOrder, MigrationOrder, NicOrder, SeedOrder, VmOrder

Run = Callable[..., dict[str, Any]]
MODULES = "ansible_collections.minicloud.libvirt.plugins.modules"

IMAGE = Image("tiny", "kernel", (ImageFile("kernel", "vmlinuz", "a" * 64, 1, "http://192.0.2.1/k?signature=x"),))
VM = VmOrder(
    id="vm-101",
    uuid="3f0c2a9e-8d55-4c0e-9a43-5a9d3b8f6f10",
    name="web01",
    project="default",
    state="running",
    epoch=3,
    spec_hash="feed",
    cpu=1,
    ram=512,
    image=IMAGE,
    disks=(DiskOrder("vda", 1024**3),),
    nics=(NicOrder("default", "52:54:00:00:00:01"),),
    cloud_init=SeedOrder("#cloud-config\n{{ not_a_template }}", "instance-id: i\n"),
    labels={"tier": "web"},
    operation="op-1",
    action="reboot",
)
BARE = VmOrder("vm-102", "3f0c2a9e-8d55-4c0e-9a43-5a9d3b8f6f11", "web02", "default", "absent", 1, "", 1, 512)
MIGRATION = MigrationOrder(
    "vm-101", VM.uuid, "web01", 4, "node1", "node2", "qemu+tls://192.0.2.2/system", "192.0.2.2", "op-2"
)


@pytest.mark.parametrize(
    ("module", "option", "orders"),
    [
        ("vm", "vms", [VM.to_mapping(), BARE.to_mapping()]),
        ("migration", "migrations", [MIGRATION.to_mapping()]),
        ("image", "images", [IMAGE.to_mapping()]),
    ],
)
def test_the_services_orders_are_accepted_as_they_are(module: str, option: str, orders: list[dict[str, Any]]) -> None:
    spec = importlib.import_module(f"{MODULES}.{module}").ARGUMENTS
    validated = ArgumentSpecValidator(spec).validate({option: orders})
    assert validated.error_messages == []
    assert validated.unsupported_parameters == set()


def test_an_order_comes_out_of_the_arguments_as_it_went_in() -> None:
    """What Ansible makes of an order, types and defaults included, is the same order."""
    spec = importlib.import_module(f"{MODULES}.vm").ARGUMENTS
    for order in (VM, BARE):
        validated = ArgumentSpecValidator(spec).validate({"vms": [order.to_mapping()]}).validated_parameters["vms"][0]
        assert complete(validated, None, "11111111-2222-3333-4444-555555555555").order == order


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("vm", {"name": "web01"}),
        ("vm_info", {}),
        ("host_info", {}),
        ("migration", {"name": "web01", "destination_uri": "qemu+tls://192.0.2.2/system"}),
        ("image", {"name": "tiny", "state": "absent"}),
    ],
)
def test_a_host_without_libvirts_binding_gets_a_sentence(
    run_module: Run, monkeypatch: pytest.MonkeyPatch, module: str, arguments: dict[str, Any]
) -> None:
    loaded = importlib.import_module(f"{MODULES}.{module}")
    monkeypatch.setattr(loaded, "LIBVIRT_IMPORT_ERROR", "Traceback: no module named libvirt")
    answer = run_module(module, **arguments)
    assert answer["failed"]
    assert "libvirt-python" in answer["msg"]


@pytest.mark.parametrize(("module", "arguments"), [("vm", {"name": "web01"}), ("vm_info", {}), ("host_info", {})])
def test_nobody_at_the_uri_is_said_with_a_code(
    run_module: Run, tmp_path: Path, module: str, arguments: dict[str, Any]
) -> None:
    uri = f"qemu+unix:///system?socket={tmp_path}/none"
    answer = run_module(module, uri=uri, **arguments)
    assert answer["failed"]
    assert answer["error"]["code"] == "minicloud.hypervisor.failed"
    assert "Failed to connect socket" in answer["msg"]


@pytest.mark.parametrize(
    ("module", "arguments", "words"),
    [
        ("vm", {}, "one of the following is required: vms, id, uuid, name"),
        ("vm", {"vms": [], "name": "web01"}, "mutually exclusive"),
        ("vm", {"vms": [{"state": "running"}]}, "one of the following is required: id, uuid, name"),
        ("vm", {"name": "web01", "state": "started"}, "value of state must be one of"),
        ("migration", {"name": "web01", "migrations": []}, "mutually exclusive"),
        ("image", {}, "one of the following is required: images, name"),
        ("image", {"images": [{"kind": "kernel"}]}, "roles [] do not make a kernel image"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    run_module: Run, module: str, arguments: dict[str, Any], words: str
) -> None:
    answer = run_module(module, **arguments)
    assert answer["failed"]
    assert words in answer["msg"]


def test_an_image_is_fetched_kept_and_foreseen(run_module: Run, tmp_path: Path) -> None:
    source = tmp_path / "vmlinuz"
    source.write_bytes(b"kernel")
    file = {"role": "kernel", "name": "vmlinuz", "url": source.as_uri()}
    file["sha256"] = "a6fb3e98e4aa12b1dbeff9e30ef19c90e3e4be2c1ac2a1ceee6d8b1b2f9a8a3c"
    arguments = {"name": "tiny", "kind": "kernel", "files": [file], "directory": str(tmp_path / "state")}

    wrong = run_module("image", **arguments)
    assert (wrong["failed"], wrong["changed"]) == (True, False)
    assert wrong["results"][0]["error"]["code"] == "minicloud.image.unusable"
    tolerated = run_module("image", **arguments, fail_on_item=False)
    assert "failed" not in tolerated or not tolerated["failed"]
    assert tolerated["results"][0]["failed"]

    file["sha256"] = wrong["results"][0]["error"]["details"]["got"]
    foreseen = run_module("image", check=True, **arguments)
    assert (foreseen["changed"], foreseen["image"]["after"]) == (True, {"state": "present"})
    assert not (tmp_path / "state" / "images").exists() or not list((tmp_path / "state" / "images").iterdir())
    fetched = run_module("image", **arguments)
    assert (fetched["changed"], fetched["image"]["state"]) == (True, "present")
    assert Path(fetched["image"]["path"], "vmlinuz").read_bytes() == b"kernel"
    assert run_module("image", **arguments)["changed"] is False


def test_an_image_needs_its_files_to_be_there(run_module: Run, tmp_path: Path) -> None:
    answer = run_module("image", name="tiny", directory=str(tmp_path))
    assert answer["results"][0]["error"]["field"] == "image.kind"
