"""The inventory reads what the service's own store keeps, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from minicloud.store.host import HostRow
from minicloud.store.project import ProjectRow
from minicloud.store.store import Store, open_store
from minicloud.store.vm import VmRow
from minicloud_core.inventory.fetch import DatabaseError, read_database

from tests.server.postgres import running_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOST_COLUMNS = {
    "name", "address", "ssh_user", "ssh_port", "ssh_key_file", "libvirt_uri", "state", "cordoned", "accelerator",
    "cpu", "ram_mib", "labels",
}  # fmt: skip
VM_COLUMNS = {
    "id", "uuid", "name", "project", "status", "desired", "host", "cpu", "ram_mib", "image", "labels", "addresses",
}  # fmt: skip


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'minicloud.db'}"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with running_server() as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def fill(store: Store) -> None:
    """One host, one VM there, and one that is deleted."""
    with store.write() as session:
        session.add(ProjectRow(name="shop", created_at=NOW, updated_at=NOW))
        session.add(
            HostRow(
                name="node1",
                address="192.0.2.11",
                ssh_user="root",
                ssh_port=22,
                ssh_key_file="/keys/id",
                libvirt_uri="qemu+tls://192.0.2.11/system",
                migrate_address="192.0.2.11",
                labels={"rack": "r1"},
                state="ready",
                cordoned=True,
                accelerator="kvm",
                cpu=8,
                ram_mib=16384,
                state_at=NOW,
                created_at=NOW,
                updated_at=NOW,
            )
        )
        session.flush()
        for number, name, deleted in ((101, "web01", None), (102, "gone", NOW)):
            session.add(
                VmRow(
                    id=f"vm-{number}",
                    number=number,
                    uuid=f"00000000-0000-4000-8000-000000000{number}",
                    name=name,
                    project="shop",
                    spec={},
                    spec_hash="x",
                    cpu=1,
                    ram_mib=512,
                    disk_bytes=0,
                    image="tiny",
                    image_content={},
                    disks=[],
                    nics=[],
                    labels={"tier": "web"},
                    created_at=NOW,
                    updated_at=NOW,
                    desired="running",
                    status="running",
                    host="node1",
                    deleted_at=deleted,
                    addresses=["192.168.122.5"],
                )
            )


def test_what_the_store_keeps_is_what_the_inventory_reads(address: str, tmp_path: Path) -> None:
    store = open_store(address)
    try:
        store.migrate()
        fill(store)
        rows = read_database(address, folder=tmp_path)
    finally:
        store.close()
    host, vm = rows["hosts"][0], rows["vms"][0]
    assert set(host) == HOST_COLUMNS
    assert set(vm) == VM_COLUMNS
    assert (len(rows["hosts"]), len(rows["vms"])) == (1, 1)
    assert (host["name"], host["labels"], bool(host["cordoned"])) == ("node1", {"rack": "r1"}, True)
    assert (vm["id"], vm["labels"], vm["addresses"]) == ("vm-101", {"tier": "web"}, ["192.168.122.5"])


@pytest.mark.postgres
def test_a_postgresql_without_the_views_says_what_it_lacks(postgresql: str, tmp_path: Path) -> None:
    other = postgresql.replace("/postgres?", "/template1?")
    with pytest.raises(DatabaseError, match="inventory_v1_hosts") as caught:
        read_database(other, folder=tmp_path)
    assert "inventory_v1_vms" in caught.value.hint
