"""Images."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, select
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


def find(session: Session, name: str) -> ImageRow | None:
    return session.get(ImageRow, name)


def lock(session: Session, name: str) -> ImageRow | None:
    """The image, for this transaction alone."""
    query = select(ImageRow).where(ImageRow.name == name).with_for_update()
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def share(session: Session, name: str) -> ImageRow | None:
    """The image, which nobody may remove until this transaction ends."""
    query = select(ImageRow).where(ImageRow.name == name).with_for_update(read=True, key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def page(session: Session, *, after: str | None, limit: int) -> Sequence[ImageRow]:
    query = select(ImageRow).order_by(ImageRow.name).limit(limit)
    return session.scalars(query if after is None else query.where(ImageRow.name > after)).all()


def everything(session: Session) -> Sequence[ImageRow]:
    return session.scalars(select(ImageRow)).all()
