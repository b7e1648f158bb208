"""Images."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class ImageRow(Base):
    """An image. ``files`` is a list of ``{role, name, sha256, size}``; the bytes lie in a folder by their SHA-256."""

    __tablename__ = "images"

    name: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    architecture: Mapped[str]
    cmdline: Mapped[str]
    format: Mapped[str]
    min_ram_mib: Mapped[int] = mapped_column(BigInteger)
    min_disk: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[list[Any]]
    created_at: Mapped[datetime]


# Written once: to put them together anew costs three times what the database takes to answer them.
_NAMED: Final = select(ImageRow).where(ImageRow.name == bindparam("image"))
_LOCK: Final = _NAMED.with_for_update().execution_options(populate_existing=True)
_SHARE: Final = _NAMED.with_for_update(read=True, key_share=True).execution_options(populate_existing=True)


def find(session: Session, name: str) -> ImageRow | None:
    return session.scalars(_NAMED, {"image": name}).one_or_none()


def lock(session: Session, name: str) -> ImageRow | None:
    """The image, for this transaction alone."""
    return session.scalars(_LOCK, {"image": name}).one_or_none()


def share(session: Session, name: str) -> ImageRow | None:
    """The image, which nobody may remove until this transaction ends."""
    return session.scalars(_SHARE, {"image": name}).one_or_none()


def page(session: Session, *, after: str | None, limit: int) -> Sequence[ImageRow]:
    query = select(ImageRow).order_by(ImageRow.name).limit(limit)
    return session.scalars(query if after is None else query.where(ImageRow.name > after)).all()


def everything(session: Session) -> Sequence[ImageRow]:
    return session.scalars(select(ImageRow)).all()
