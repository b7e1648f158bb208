"""The schema: what the migrations make is what the models say, and versions are told apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from minicloud.store.store import Store, open_store
from minicloud.store.tables import metadata
from minicloud_core.model.errors import UnavailableError
from sqlalchemy import text

HOST_COLUMNS = [
    "name", "address", "ssh_user", "ssh_port", "ssh_key_file", "libvirt_uri", "state", "cordoned", "accelerator",
    "cpu", "ram_mib", "labels",
]  # fmt: skip
VM_COLUMNS = [
    "id", "uuid", "name", "project", "status", "desired", "host", "cpu", "ram_mib", "image", "labels", "addresses",
]  # fmt: skip


def test_migrations_make_what_the_models_say(store: Store) -> None:
    with store.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(store: Store) -> None:
    before = store.schema.current()
    store.migrate()
    assert store.schema.current() == before == store.schema.head


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/minicloud.db")
    store.migrate()
    with store.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuse in (store.migrate, store.check):
        with pytest.raises(UnavailableError, match=r"9999.*newer minicloud wrote it") as caught:
            refuse()
        assert "backup" in caught.value.hint
    assert store.schema.current() == "9999"


def test_an_older_schema_is_not_worked_on(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/minicloud.db")
    with pytest.raises(UnavailableError, match="at nothing; this minicloud needs") as caught:
        store.check()
    assert "minicloud init" in caught.value.hint
    store.migrate()
    store.check()


@pytest.mark.parametrize(("view", "columns"), [("inventory_v1_hosts", HOST_COLUMNS), ("inventory_v1_vms", VM_COLUMNS)])
def test_the_inventory_views_have_the_columns_of_the_contract(store: Store, view: str, columns: list[str]) -> None:
    with store.read() as session:
        assert list(session.execute(text(f"SELECT * FROM {view}")).keys()) == columns
