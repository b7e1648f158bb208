"""Events: what changed, in the order in which the changes became visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, func, insert, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base, Serial

_PENDING: Final = "minicloud_events"
PUBLISH_LOCK: Final = 0x6D63_0002


class EventRow(Base):
    """A change. It names things without foreign keys: history outlives what it tells of."""

    __tablename__ = "events"
    # A client resumes by number: none is ever given out twice.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    vm: Mapped[str | None] = mapped_column(index=True)
    operation: Mapped[str | None] = mapped_column(index=True)
    host: Mapped[str | None]
    project: Mapped[str | None]
    actor: Mapped[str] = mapped_column(default="")
    request_id: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


@dataclass(frozen=True)
class Event:
    """A change to be told of: an :class:`EventRow` without its number."""

    at: datetime
    kind: str
    vm: str | None = None
    operation: str | None = None
    host: str | None = None
    project: str | None = None
    actor: str = ""
    request_id: str = ""
    reason: str = ""
    data: dict[str, Any] = field(default_factory=dict)


# On the table: nobody asks for the rows, so nothing need be kept of them.
_WRITE: Final = insert(EventRow.__table__)  # type: ignore[arg-type]


# Written once: to put it together anew costs three times what the database takes to answer it.
_NEWS: Final = (
    select(EventRow.id, EventRow.operation)
    .where(EventRow.id > bindparam("last"))
    .order_by(EventRow.id)
    .limit(bindparam("most"))
)


def emit(session: Session, event: Event) -> None:
    """Have an event written when the transaction commits."""
    session.info.setdefault(_PENDING, []).append(event)


def publish(session: Session) -> None:
    """Write what was emitted. The last statement before a commit.

    PostgreSQL gives out numbers before it commits: without a lock, event 6 could be seen before event 5, and whoever
    resumes after 6 would never hear of 5. Taken last and for an instant, the lock can neither deadlock nor delay.
    """
    pending: list[Event] = session.info.pop(_PENDING, [])
    if not pending:
        return
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": PUBLISH_LOCK})
    # Nobody asks for the numbers, so all go in one statement.
    session.connection().execute(_WRITE, [vars(event) for event in pending])


def after(
    session: Session,
    *,
    last: int,
    limit: int,
    project: str | None,
    vm: str | None,
    operation: str | None,
) -> Sequence[EventRow]:
    """Events that follow event ``last``. None does not filter."""
    query = select(EventRow).where(EventRow.id > last).order_by(EventRow.id).limit(limit)
    for column, value in ((EventRow.project, project), (EventRow.vm, vm), (EventRow.operation, operation)):
        if value is not None:
            query = query.where(column == value)
    return session.scalars(query).all()


def news(session: Session, *, last: int, limit: int) -> Sequence[tuple[int, str | None]]:
    """The numbers of events that follow event ``last``, each with its operation."""
    return [(row[0], row[1]) for row in session.execute(_NEWS, {"last": last, "most": limit})]


def latest(session: Session) -> int:
    """The last event's number; 0 before the first."""
    return session.scalar(select(func.max(EventRow.id))) or 0
