"""Placements: every decision of the scheduler, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base, Serial


class PlacementRow(Base):
    __tablename__ = "placements"

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    vm: Mapped[str] = mapped_column(ForeignKey("vms.id"), index=True)
    operation: Mapped[str]
    host: Mapped[str | None]
    at: Mapped[datetime]
    decision: Mapped[dict[str, Any]]


def of_vm(session: Session, vm: str) -> Sequence[PlacementRow]:
    """A VM's placements, the newest first."""
    return session.scalars(select(PlacementRow).where(PlacementRow.vm == vm).order_by(PlacementRow.number.desc())).all()
