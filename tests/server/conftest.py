"""What all tests of the service share: a store on each database, and a world on top of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from minicloud.services.context import Context
from minicloud.store.store import Store, open_store
from minicloud.store.tables import metadata
from sqlalchemy import create_engine, text

from tests.server.postgres import running_server
from tests.server.world import FixedClock, PlainSettings, SeededEntropy, World

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's empty database."""
    with running_server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> Iterator[Store]:
    """A migrated database on PostgreSQL, for tests to empty and use."""
    with create_engine(postgres_server, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("CREATE DATABASE minicloud"))
    store = open_store(postgres_server.replace("/postgres?", "/minicloud?"))
    store.migrate()
    yield store
    store.close()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A migrated database on SQLite, for tests to empty and use."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('sqlite')}/minicloud.db")
    store.migrate()
    yield store
    store.close()


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest) -> Store:
    """An empty, migrated store; the test runs once on each database."""
    store: Store = request.getfixturevalue(f"migrated_{request.param}")
    empty(store)
    return store


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def context(store: Store, clock: FixedClock, tmp_path: Path) -> Context:
    """A context with a clock that stands still and chance that repeats."""
    return Context(store, PlainSettings(tmp_path / "state"), b"k" * 32, clock, entropy=SeededEntropy())


@pytest.fixture
def world(context: Context, clock: FixedClock) -> World:
    """A context with the project ``default``, the image ``tiny`` and no host yet."""
    return World(context, clock)


def empty(store: Store) -> None:
    """Make a migrated database as new."""
    tables = [table.name for table in reversed(metadata.sorted_tables)]
    postgres = [f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"]
    sqlite = [*(f"DELETE FROM {table}" for table in tables), "DELETE FROM sqlite_sequence"]
    with store.write() as session:
        for statement in postgres if store.dialect == "postgresql" else sqlite:
            session.execute(text(statement))
        session.execute(text("INSERT INTO counters (name, value) VALUES ('vm', 100)"))
