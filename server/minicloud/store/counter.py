"""Counters that never give a number twice."""

from __future__ import annotations

from sqlalchemy import BigInteger, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class CounterRow(Base):
    """``value`` is the last number given out."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


def next_number(session: Session, name: str) -> int:
    """Take the next number. Other takers wait until this transaction ends."""
    change = (
        update(CounterRow)
        .where(CounterRow.name == name)
        .values(value=CounterRow.value + 1)
        .returning(CounterRow.value)
        .execution_options(synchronize_session=False)
    )
    return session.execute(change).scalar_one()
