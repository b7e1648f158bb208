"""Counters that never give a number twice."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, bindparam, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class CounterRow(Base):
    """``value`` is the last number given out."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


# Written once: to put them together anew costs three times what the database takes to answer them.
_LAST: Final = select(CounterRow.value).where(CounterRow.name == bindparam("counter"))
_NEXT: Final = (
    update(CounterRow)
    .where(CounterRow.name == bindparam("counter"))
    .values(value=CounterRow.value + bindparam("count"))
    .returning(CounterRow.value)
    .execution_options(synchronize_session=False)
)


def last(session: Session, name: str) -> int:
    """The last number that was given out."""
    return session.execute(_LAST, {"counter": name}).scalar_one()


def next_numbers(session: Session, name: str, count: int) -> int:
    """Take the next numbers, ``count`` of them.

    Other takers wait until this transaction ends.

    :returns: the first; the others follow it.
    """
    last: int = session.execute(_NEXT, {"counter": name, "count": count}).scalar_one()
    return last - count + 1


def give_back(session: Session, name: str, count: int) -> None:
    """Have the last numbers that this transaction took given out again; nobody else has any that follow them."""
    if count:
        session.execute(_NEXT, {"counter": name, "count": -count})
