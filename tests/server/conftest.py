"""What all tests of the service share: a store on each database, and a world on top of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from minicloud.services.context import Context
from minicloud.store.store import Store, open_store
from minicloud.store.tables import metadata
from tests.server.postgres import running_server
from tests.server.world import FixedClock, PlainSettings, SeededEntropy, World

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


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


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty, migrated store; the test runs once on each database."""
    if request.param == "sqlite":
        store = open_store(f"sqlite:///{tmp_path}/minicloud.db")
        store.migrate()
        yield store
        store.close()
        return
    store = request.getfixturevalue("migrated_postgres")
    empty(store)
    yield store


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
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with store.write() as session:
        session.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        session.execute(text("INSERT INTO counters (name, value) VALUES ('vm', 100)"))
