"""Reading the views from an SQLite file. PostgreSQL and the service's own schema are in tests/integration."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from minicloud_core.inventory import fetch
from minicloud_core.inventory.fetch import DatabaseError, read_database
from minicloud_core.model.errors import InputError

HOSTS = (
    "name, address, ssh_user, ssh_port, ssh_key_file, libvirt_uri, state, cordoned, accelerator, cpu, ram_mib, labels"
)
VMS = "id, uuid, name, project, status, desired, host, cpu, ram_mib, image, labels, addresses"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "state dir?" / "minicloud.db"
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(
            f"CREATE TABLE h ({HOSTS}); CREATE TABLE v ({VMS});"
            "CREATE VIEW inventory_v1_hosts AS SELECT * FROM h; CREATE VIEW inventory_v1_vms AS SELECT * FROM v;"
        )
        labels = json.dumps({"rack": "r1"})
        connection.execute(
            "INSERT INTO h VALUES ('node1', '192.0.2.1', 'root', 22, NULL, '', 'ready', 0, 'kvm', 8, 1024, ?)",
            (labels,),
        )
        connection.execute(
            "INSERT INTO v VALUES ('vm-101', 'u', 'web', 'default', 'running', 'running', 'node1', 1, 512, 'tiny',"
            " '{}', '[\"192.0.2.9\"]')"
        )
        connection.commit()
    return path


def test_rows_are_read_with_their_json(database: Path) -> None:
    rows = read_database(str(database), folder=Path("/"))
    assert rows["hosts"][0]["name"] == "node1"
    assert rows["hosts"][0]["labels"] == {"rack": "r1"}
    assert rows["vms"][0]["addresses"] == ["192.0.2.9"]


def test_paths_and_urls_name_the_same_file(database: Path) -> None:
    folder = database.parent
    expected = read_database(str(database), folder=Path("/"))
    relative = os.path.relpath(database, folder.parent)
    assert read_database(relative, folder=folder.parent) == expected
    assert read_database(f"sqlite:///{relative}", folder=folder.parent) == expected
    assert read_database(f"sqlite:///{database}", folder=Path("/nowhere")) == expected
    assert read_database(f"sqlite+pysqlite:///{database}", folder=Path("/nowhere")) == expected


def test_reading_writes_nothing(database: Path) -> None:
    before = database.read_bytes()
    read_database(str(database), folder=Path("/"))
    assert database.read_bytes() == before


def test_a_writer_is_not_waited_for(database: Path) -> None:
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM v")
        assert len(read_database(str(database), folder=Path("/"))["vms"]) == 1


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database"):
        read_database("missing.db", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_the_views_says_what_it_lacks(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.db").close()
    (tmp_path / "text.db").write_text("this is no database, however long one looks at it" * 50)
    (tmp_path / "other.db").touch()
    for name, words in (("other.db", "no such table: inventory_v1_hosts"), ("text.db", "not a database")):
        with pytest.raises(DatabaseError, match=words) as caught:
            read_database(name, folder=tmp_path)
        assert "inventory_v1_vms" in caught.value.hint


def test_damaged_labels_are_told(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("UPDATE h SET labels = '{not json'")
        connection.commit()
    with pytest.raises(DatabaseError, match="labels are not JSON"):
        read_database(str(database), folder=Path("/"))


def test_other_kinds_of_database_are_refused() -> None:
    with pytest.raises(InputError, match="mysql:// is not a kind of database"):
        read_database("mysql://root@localhost/minicloud", folder=Path("/"))


def test_without_psycopg_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "HAS_PSYCOPG", False)
    with pytest.raises(DatabaseError, match="needs psycopg") as caught:
        read_database("postgresql+psycopg://minicloud@127.0.0.1/minicloud", folder=Path("/"))
    assert "use `url`" in caught.value.hint


@pytest.mark.parametrize(
    "address",
    ["postgresql://minicloud:hunter2@127.0.0.1:9/minicloud", "postgresql://127.0.0.1:9/minicloud?password=hunter2"],
)
def test_an_unreachable_postgresql_is_named_without_its_password(address: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        read_database(address, folder=Path("/"))
    assert "hunter2" not in caught.value.message
    assert "127.0.0.1" in caught.value.message
