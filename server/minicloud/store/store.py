"""The database: one address, short transactions, the same behaviour on SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import orjson
from minicloud_core.model.errors import UnavailableError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from . import event as events
from . import late
from .schema import Schema

BUSY_TIMEOUT_MS = 15_000
_WRITE = "minicloud_write"
# A create writes a dozen JSON columns: with the standard library's writer they were a seventh of its cost.
_OPTIONS: Final[dict[str, Any]] = {
    "pool_size": 16,
    "max_overflow": 16,
    "json_serializer": lambda value: orjson.dumps(value).decode(),
    "json_deserializer": orjson.loads,
}

__all__ = ["Session", "Store", "open_store"]


class Store:
    """An open database. Threads share it; each transaction has a session of its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.dialect = engine.dialect.name
        self._writer = engine.execution_options(**{_WRITE: True})
        # SQLite's readers see one moment anyway; PostgreSQL's have to ask for it.
        whole = {"isolation_level": "REPEATABLE READ"} if self.dialect == "postgresql" else {}
        self._reader = engine.execution_options(**whole)
        self.schema = Schema(engine)
        # SQLite admits one writer; waiting in line costs less than its busy handler's naps, and is fair.
        self._line: AbstractContextManager[object] = threading.Lock() if self.dialect == "sqlite" else nullcontext()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads, and sees one moment.

        :raises UnavailableError: when the database cannot be reached.
        """
        with _speaking(self._engine), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits when the block ends, and leaves nothing behind when it raises.

        :raises UnavailableError: when the database cannot be reached, or is locked for too long.
        """
        with (
            _speaking(self._engine),
            self._line,
            Session(self._writer, expire_on_commit=False) as session,
        ):
            yield session
            session.flush()
            late.write(session)
            events.publish(session)
            session.commit()

    def migrate(self) -> None:
        """Bring the schema to this program's version.

        :raises UnavailableError: when the database is newer than the program.
        """
        with _speaking(self._engine):
            self.schema.upgrade()

    def check(self) -> None:
        """Make sure that the schema is the one this program was written for.

        :raises UnavailableError: when it is older or newer, or the database cannot be reached.
        """
        with _speaking(self._engine):
            self.schema.check()

    def trouble(self) -> str | None:
        """What is wrong with the database now; None when it answers."""
        try:
            with _speaking(self._engine), self._engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except UnavailableError as error:
            return error.message
        return None

    def close(self) -> None:
        self._engine.dispose()


def open_store(url: str) -> Store:
    """Open a database; its schema is left as it is.

    :param url: a SQLAlchemy URL: ``sqlite:////var/lib/minicloud/minicloud.db``, ``postgresql+psycopg://…``.
    :raises UnavailableError: when it is neither SQLite nor PostgreSQL.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if address.database:
            Path(address.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = create_engine(address, **_OPTIONS)
        _prepare_sqlite(engine)
        return Store(engine)
    if address.get_backend_name() == "postgresql":
        return Store(create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True, **_OPTIONS))
    raise UnavailableError(
        f"{address.get_backend_name()} is not a database that minicloud speaks to",
        hint="sqlite:///… or postgresql+psycopg://…",
    )


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        assert isinstance(connection, sqlite3.Connection)
        # The driver would begin transactions late and by its own rules; we say BEGIN ourselves.
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            # An acknowledged request survives a power cut.
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {BUSY_TIMEOUT_MS}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes could otherwise find the database changed under it and fail.
        writes = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _speaking(engine: Engine) -> Iterator[None]:
    """Turn what the driver says of an unreachable database into our words, without its address's password."""
    try:
        yield
    except OperationalError as error:
        where = engine.url.render_as_string(hide_password=True)
        raise UnavailableError(
            f"The database {where} does not answer: {str(error.orig).strip()}",
            hint="is it running, and may this user write to it?",
        ) from error
