"""The schema: what the migrations make is what the models say, and versions are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from minicloud.store import placement as placements
from minicloud.store.store import Store, open_store
from minicloud.store.tables import metadata
from minicloud_core.model.errors import UnavailableError
from sqlalchemy import Connection, create_engine, inspect, text

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


def test_placements_of_before_survive_that_refusals_join_them(tmp_path: Path) -> None:
    """On SQLite the table is built anew for that."""
    store = open_store(f"sqlite:///{tmp_path}/minicloud.db")
    with create_engine(f"sqlite:///{tmp_path}/minicloud.db").begin() as connection:
        config = Config()
        config.set_main_option("script_location", "minicloud.store:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        for table, known in (
            ("projects", {"name": "shop"}),
            ("vms", {"id": "vm-101", "project": "shop"}),
            ("placements", {"number": 7, "vm": "vm-101", "host": "node1", "decision": '{"policy": "balanced"}'}),
        ):
            fill(connection, table, known)
    store.migrate()
    with store.read() as session:
        (row,) = placements.of_vm(session, "vm-101")
        assert (row.number, row.operation, row.host, row.name) == (7, "operation", "node1", None)
        assert (row.at, row.decision) == (datetime(2026, 11, 21, 12, tzinfo=UTC), {"policy": "balanced"})
    store.close()


def fill(connection: Connection, table: str, known: Mapping[str, object]) -> None:
    """Write a row: what is known of it, and something in every other column that must not be empty."""
    row = dict(known)
    for column in inspect(connection).get_columns(table):
        if not column["nullable"] and column["default"] is None:
            kinds = {"DATETIME": "2026-11-21 12:00:00", "JSON": "{}", "VARCHAR": column["name"]}
            row.setdefault(column["name"], kinds.get(str(column["type"]), 1))
    names = ", ".join(row)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(row)})"), row)
