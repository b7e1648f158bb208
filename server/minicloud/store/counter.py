"""Counters that never give a number twice."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, bindparam, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class CounterRow(Base):
    """``value`` is the last number given out."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


# Written once: to put it together anew costs three times what the database takes to answer it.
_NEXT: Final = (
    update(CounterRow)
    .where(CounterRow.name == bindparam("counter"))
    .values(value=CounterRow.value + 1)
    .returning(CounterRow.value)
    .execution_options(synchronize_session=False)
)


def next_number(session: Session, name: str) -> int:
    """Take the next number. Other takers wait until this transaction ends."""
    return session.execute(_NEXT, {"counter": name}).scalar_one()
