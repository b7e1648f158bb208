"""Rows that nobody reads back in the transaction that writes them: written at its end, each table's in one statement.

What SQLAlchemy keeps of each object that it writes costs several times what writing it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.orm import Session

from .base import Base

_PENDING: Final = "minicloud_late_rows"


def add(session: Session, table: type[Base], values: Mapping[str, Any]) -> None:
    """Have a row written when the transaction commits.

    :param values: of each column that has no other.
    """
    pending: dict[type[Base], list[Mapping[str, Any]]] = session.info.setdefault(_PENDING, {})
    pending.setdefault(table, []).append(values)


def write(session: Session) -> None:
    """Write what was added, in the order of its coming. What it refers to has been written before."""
    pending: dict[type[Base], list[Mapping[str, Any]]] = session.info.pop(_PENDING, {})
    for table, rows in pending.items():
        session.connection().execute(insert(table.__table__), rows)  # type: ignore[arg-type]
