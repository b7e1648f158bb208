"""Orders that are not carried out, and what they leave: nothing."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from minicloud_core.hypervisor.apply import apply_order
from minicloud_core.hypervisor.batch import run_batch
from minicloud_core.hypervisor.host import Hypervisor, Layout, open_hypervisor
from minicloud_core.model.errors import HypervisorError

from tests.integration.hypervisor.conftest import Apply
from tests.integration.hypervisor.guest import TinyGuest
from tests.integration.hypervisor.private_libvirtd import PrivateLibvirtd

Order = dict[str, Any]


@pytest.fixture
def foreign(daemon: PrivateLibvirtd, tmp_path: Path) -> Any:
    """A domain that somebody else made."""
    name, identity = "legacy-db", str(uuid.uuid4())
    xml = tmp_path / "legacy.xml"
    xml.write_text(
        f"<domain type='qemu'><name>{name}</name><uuid>{identity}</uuid><memory unit='MiB'>64</memory>"
        "<os><type>hvm</type></os></domain>"
    )
    daemon.virsh("define", str(xml))
    yield name, identity
    assert name in daemon.virsh("list", "--all", "--name").split(), "it is still there"
    daemon.virsh("undefine", name)


def test_an_older_epoch_is_refused_and_an_equal_one_is_not(apply: Apply, order: Order) -> None:
    apply(order, state="stopped", epoch=5)
    refused = apply(order, state="running", epoch=4)
    assert refused["error"]["code"] == "minicloud.operation.stale_epoch"
    assert (refused["failed"], refused["changed"], refused["state"]) == (True, False, "stopped")
    assert refused["error"]["details"] == {"epoch": 5, "order": 4}
    assert apply(order, state="absent", epoch=4)["failed"]
    assert apply(order, state="stopped", epoch=5)["error"] is None


def test_a_later_epoch_is_kept_and_is_no_change(apply: Apply, order: Order, daemon: PrivateLibvirtd) -> None:
    apply(order, epoch=1)
    later = apply(order, epoch=2)
    assert (later["changed"], later["error"]) == (False, None)
    assert apply(order, epoch=1)["error"]["code"] == "minicloud.operation.stale_epoch"
    for xml in (daemon.virsh("dumpxml", order["id"]), daemon.virsh("dumpxml", "--inactive", order["id"])):
        assert "epoch='2'" in xml.replace('"', "'"), "in the running guest and in its definition"


@pytest.mark.parametrize("state", ["running", "stopped", "absent"])
def test_a_foreign_domain_is_left_alone(apply: Apply, order: Order, foreign: tuple[str, str], state: str) -> None:
    name, identity = foreign
    for claim in ({"id": name, "name": name}, {"uuid": identity}):
        refused = apply({**order, **claim, "state": state})
        assert refused["error"]["code"] == "minicloud.hypervisor.unmanaged_domain", claim
        assert (refused["failed"], refused["changed"]) == (True, False)


def test_a_name_alone_does_not_reach_a_foreign_domain(apply: Apply, foreign: tuple[str, str]) -> None:
    refused = apply({"name": foreign[0], "state": "absent"})
    assert refused["error"]["code"] == "minicloud.hypervisor.unmanaged_domain"


def test_one_id_with_another_uuid_is_a_conflict(apply: Apply, order: Order) -> None:
    apply(order, state="stopped")
    clash = apply(order, uuid=str(uuid.uuid4()))
    assert clash["error"]["code"] == "minicloud.resource.conflict"
    assert "another UUID" in clash["error"]["message"]


def test_a_create_that_fails_at_the_start_leaves_nothing(
    apply: Apply, order: Order, daemon: PrivateLibvirtd, root: Path
) -> None:
    volumes = daemon.virsh("vol-list", "default")
    failed = apply(
        order,
        nics=[{"network": "nowhere"}],
        disks=[{"size": "8M"}],
        cloud_init={"user_data": "#cloud-config\n"},
    )
    assert failed["failed"]
    assert "nowhere" in failed["error"]["message"], "libvirt's own words"
    assert (failed["changed"], failed["state"], failed["after"]) == (False, "absent", {"state": "absent"})
    assert order["id"] not in daemon.virsh("list", "--all", "--name").split()
    assert daemon.virsh("vol-list", "default") == volumes
    assert not list((root / "console").glob(f"{failed['uuid']}*"))


def test_a_start_that_fails_leaves_an_older_domain_as_it_was(
    apply: Apply, order: Order, daemon: PrivateLibvirtd
) -> None:
    apply(order, state="stopped", disks=[{"size": "8M"}])
    volumes = daemon.virsh("vol-list", "default")
    failed = apply(order, nics=[{"network": "nowhere"}], disks=[{"size": "8M"}])
    assert (failed["failed"], failed["state"]) == (True, "stopped")
    assert failed["changed"], "the card is in the definition all the same"
    assert daemon.virsh("vol-list", "default") == volumes


def test_a_missing_pool_is_named(apply: Apply, order: Order) -> None:
    failed = apply(order, disks=[{"size": "8M", "pool": "fast"}])
    assert failed["error"]["code"] == "minicloud.hypervisor.failed"
    assert "fast" in failed["error"]["message"]


def test_in_a_list_one_bad_item_fails_alone(hypervisor: Hypervisor, guest: TinyGuest, daemon: PrivateLibvirtd) -> None:
    good = {"kernel": str(guest.kernel), "ram": "64M", "nics": [], "state": "stopped"}
    orders = [{"id": f"batch-{number}", "operation": f"op-{number}", **good} for number in range(5)]
    orders[2] |= {"cpu": -1, "name": "not/a/name"}
    results = run_batch(orders, lambda order: apply_order(hypervisor, order), threads=4)
    assert [result["operation"] for result in results] == ["op-0", "op-1", "op-2", "op-3", "op-4"]
    assert [result["failed"] for result in results] == [False, False, True, False, False]
    assert {problem["field"] for problem in results[2]["error"]["errors"]} == {"name", "cpu"}
    assert results[2]["error"]["field"] == "name"
    defined = daemon.virsh("list", "--all", "--name").split()
    assert {name for name in defined if name.startswith("batch-")} == {"batch-0", "batch-1", "batch-3", "batch-4"}

    gone = run_batch(
        [{"id": f"batch-{number}", "state": "absent"} for number in range(5)],
        lambda order: apply_order(hypervisor, order),
        threads=4,
    )
    assert [result["changed"] for result in gone] == [True, True, False, True, True]


def test_orders_about_one_vm_are_carried_out_in_turn(hypervisor: Hypervisor, order: Order) -> None:
    steps = [{**order, "state": state} for state in ("stopped", "running", "paused", "absent", "stopped")]
    results = run_batch(steps, lambda step: apply_order(hypervisor, step), threads=5)
    assert [(result["state"], result["changed"], result["error"]) for result in results] == [
        ("stopped", True, None),
        ("running", True, None),
        ("paused", True, None),
        ("absent", True, None),
        ("stopped", True, None),
    ]


def test_nobody_at_the_uri_is_said_in_libvirts_words(tmp_path: Path) -> None:
    with (
        pytest.raises(HypervisorError, match="Failed to connect socket") as caught,
        open_hypervisor(f"qemu+unix:///system?socket={tmp_path}/none", Layout(tmp_path)),
    ):
        pass
    assert "libvirtd" in caught.value.hint
