"""Placements: every decision of the scheduler, with its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from . import late
from .base import Base, Serial
from .vm import VmRow


class PlacementRow(Base):
    __tablename__ = "placements"

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    vm: Mapped[str] = mapped_column(ForeignKey("vms.id"), index=True)
    operation: Mapped[str]
    host: Mapped[str | None]
    at: Mapped[datetime]
    decision: Mapped[dict[str, Any]]


def add(session: Session, placement: Mapping[str, Any]) -> None:
    """Have a decision written when the transaction commits; all columns but the number."""
    late.add(session, PlacementRow, placement)


@dataclass(frozen=True)
class Record:
    """A decision without what it says of each host, and the VM that it was made for.

    :param ended_at: when that VM was deleted; None while it is not.
    """

    number: int
    vm: str
    operation: str
    host: str | None
    at: datetime
    policy: str
    policy_version: str | None
    request: dict[str, Any]
    name: str
    project: str
    ended_at: datetime | None


def records(session: Session, *, before: int | None, limit: int, project: str | None) -> Sequence[Record]:
    """Decisions, the newest first. None does not filter."""
    row = PlacementRow
    query = (
        select(
            row.number,
            row.vm,
            row.operation,
            row.host,
            row.at,
            row.decision["policy"].as_string(),
            row.decision["policy_version"].as_string(),
            # Picked out by the database: all that is said of each host would be most of what is read.
            row.decision["request"],
            VmRow.name,
            VmRow.project,
            VmRow.deleted_at,
        )
        .join(VmRow, VmRow.id == row.vm)
        .order_by(row.number.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(row.number < before)
    if project is not None:
        query = query.where(VmRow.project == project)
    return [Record(*found) for found in session.execute(query)]


def of_vm(session: Session, vm: str) -> Sequence[PlacementRow]:
    """A VM's placements, the newest first."""
    return session.scalars(select(PlacementRow).where(PlacementRow.vm == vm).order_by(PlacementRow.number.desc())).all()
