# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Reading hosts and VMs from where the service keeps them, or from the service."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from ..api import ApiClient
from ..model.errors import InputError, MinicloudError, Problem

try:
    import psycopg
    from psycopg.rows import dict_row
except ImportError:
    HAS_PSYCOPG = False
else:
    HAS_PSYCOPG = True

# The only things that are read. Tables behind them change as they like; these views keep their columns.
HOSTS_VIEW: Final = "inventory_v1_hosts"
VMS_VIEW: Final = "inventory_v1_vms"

_JSON_COLUMNS: Final = ("labels", "addresses")
_CONNECT_SECONDS: Final = 10

Rows = dict[str, list[dict[str, Any]]]


class DatabaseError(MinicloudError):
    """The state database cannot be read."""

    code = "minicloud.inventory.database"
    title = "The state database cannot be read"


def read_service(client: ApiClient) -> Rows:
    """The rows of both views, asked of the service: ``{"hosts": [...], "vms": [...]}``.

    :raises ApiError: when it refuses or does not answer.
    """
    body = client.get("/v1/inventory").body
    return {key: _decode(body.get(key) or ()) for key in ("hosts", "vms")}


def read_database(address: str, *, folder: Path) -> Rows:
    """The rows of both views, read from the database without writing to it.

    :param address: a path to an SQLite file, or the URL of an SQLite or PostgreSQL database as the service takes it.
    :param folder: what a relative path is relative to.
    :raises DatabaseError: when it cannot be opened or has no such views.
    :raises InputError: when the URL is of another kind.
    """
    scheme, separator, rest = address.partition("://")
    kind = scheme.partition("+")[0] if separator else "sqlite"
    if kind == "sqlite":
        return _read_sqlite(_sqlite_path(address if not separator else rest.removeprefix("/"), folder))
    if kind in ("postgresql", "postgres"):
        return _read_postgresql(f"postgresql://{rest}")
    raise InputError(
        [Problem("database", f"{scheme}:// is not a kind of database", "a path, sqlite:// or postgresql://")]
    )


def _sqlite_path(path: str, folder: Path) -> Path:
    return folder / Path(path).expanduser()


def _read_sqlite(path: Path) -> Rows:
    if not path.is_file():
        raise DatabaseError(f"there is no database {path}", hint="`minicloud init` makes one; check the path")
    try:
        with closing(
            sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=_CONNECT_SECONDS)
        ) as database:
            database.row_factory = sqlite3.Row
            # One transaction, so that both views show the same moment.
            database.execute("BEGIN")
            return {
                "hosts": _decode(map(dict, database.execute(f"SELECT * FROM {HOSTS_VIEW}"))),
                "vms": _decode(map(dict, database.execute(f"SELECT * FROM {VMS_VIEW}"))),
            }
    except sqlite3.Error as error:
        raise _unreadable(str(path), error) from error


def _read_postgresql(address: str) -> Rows:
    if not HAS_PSYCOPG:
        raise DatabaseError(
            "reading a PostgreSQL database needs psycopg, which this Python lacks",
            hint="pip install 'psycopg[binary]', or ask the service instead: use `url` in place of `database`",
        )
    # Before the @ and behind the ? there may be a password; errors name the database without either.
    place = address.rpartition("@")[2].partition("?")[0]
    try:
        with psycopg.connect(address, connect_timeout=_CONNECT_SECONDS, row_factory=dict_row) as database:
            database.read_only = True
            database.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            return {
                "hosts": _decode(database.execute(f"SELECT * FROM {HOSTS_VIEW}")),
                "vms": _decode(database.execute(f"SELECT * FROM {VMS_VIEW}")),
            }
    except psycopg.Error as error:
        raise _unreadable(place, error) from error


def _unreadable(place: str, error: Exception) -> DatabaseError:
    return DatabaseError(
        f"the database {place} cannot be read: {str(error).strip()}",
        hint=f"it is to have the views {HOSTS_VIEW} and {VMS_VIEW}, which the service of this version makes",
    )


def _decode(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{key: _decode_column(key, value) for key, value in row.items()} for row in rows]


def _decode_column(key: str, value: Any) -> Any:
    if key not in _JSON_COLUMNS or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise DatabaseError(f"a row's {key} are not JSON: {value[:80]!r}") from error
