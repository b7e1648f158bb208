"""Placements: every decision of the scheduler, with its reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ForeignKey, Index, Select, bindparam, delete, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from . import late
from .base import Base, Serial
from .operation import OperationRow
from .vm import VmRow


class PlacementRow(Base):
    """A decision: for a VM and one of its operations, or, where no host would do, without both.

    One without says itself whom it was about and who asked; of the others their VMs and operations do.
    """

    __tablename__ = "placements"
    __table_args__ = (
        Index(
            "ix_placements_refused",
            "project",
            "number",
            postgresql_where=text("vm IS NULL"),
            sqlite_where=text("vm IS NULL"),
        ),
    )

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    vm: Mapped[str | None] = mapped_column(ForeignKey("vms.id"), index=True)
    operation: Mapped[str | None]
    host: Mapped[str | None]
    at: Mapped[datetime]
    decision: Mapped[dict[str, Any]]
    name: Mapped[str | None]
    project: Mapped[str | None]
    actor: Mapped[str | None]
    request_id: Mapped[str | None]


_OF_NOBODY: Final[Mapping[str, Any]] = dict.fromkeys(
    ("vm", "operation", "host", "name", "project", "actor", "request_id")
)


def add(session: Session, placement: Mapping[str, Any]) -> None:
    """Have a decision written when the transaction commits.

    :param placement: ``at``, ``decision``, and whichever of the other columns there is something to say in.
    """
    late.add(session, PlacementRow, {**_OF_NOBODY, **placement})


@dataclass(frozen=True)
class Record:
    """A decision without what it says of each host, and whom it was made for.

    :param vm: None where no host would do, as is ``operation``.
    :param preempts: the VMs that had to make room for it, each with its priority.
    :param ended_at: when the VM was deleted; None while it is not, or where there is none.
    """

    number: int
    vm: str | None
    operation: str | None
    host: str | None
    at: datetime
    policy: str
    policy_version: str | None
    request: dict[str, Any]
    preempts: list[Any]
    name: str
    project: str
    actor: str
    request_id: str
    ended_at: datetime | None


@dataclass(frozen=True)
class Wanted:
    """Which decisions are asked for. None does not filter.

    :param refused: those without a host, or those with one.
    """

    project: str | None = None
    name: str | None = None
    host: str | None = None
    refused: bool | None = None


_NAME: Final = func.coalesce(VmRow.name, PlacementRow.name)
_PROJECT: Final = func.coalesce(VmRow.project, PlacementRow.project)
_RECORDS: Final = (
    select(
        PlacementRow.number,
        PlacementRow.vm,
        PlacementRow.operation,
        PlacementRow.host,
        PlacementRow.at,
        PlacementRow.decision["policy"].as_string(),
        PlacementRow.decision["policy_version"].as_string(),
        # Picked out by the database: all that is said of each host would be most of what is read.
        PlacementRow.decision["request"],
        PlacementRow.decision["preempts"],
        _NAME,
        _PROJECT,
        func.coalesce(OperationRow.actor, PlacementRow.actor),
        func.coalesce(OperationRow.request_id, PlacementRow.request_id),
        VmRow.deleted_at,
    )
    .outerjoin(VmRow, VmRow.id == PlacementRow.vm)
    .outerjoin(OperationRow, OperationRow.id == PlacementRow.operation)
)


def records(session: Session, wanted: Wanted, *, before: int | None, limit: int) -> Sequence[Record]:
    """Decisions, the newest first."""
    query = _filtered(_RECORDS, wanted).order_by(PlacementRow.number.desc()).limit(limit)
    if before is not None:
        query = query.where(PlacementRow.number < before)
    return [Record(*found) for found in session.execute(query)]


def _filtered(query: Select[Any], wanted: Wanted) -> Select[Any]:
    for column, value in ((_PROJECT, wanted.project), (_NAME, wanted.name), (PlacementRow.host, wanted.host)):
        if value is not None:
            query = query.where(column == value)
    if wanted.refused is not None:
        query = query.where(PlacementRow.host.is_(None) if wanted.refused else PlacementRow.host.is_not(None))
    return query


def find(session: Session, number: int) -> tuple[Record, dict[str, Any]] | None:
    """One decision, with all that it says."""
    query = _RECORDS.add_columns(PlacementRow.decision).where(PlacementRow.number == number)
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    *said, decision = found
    return Record(*said), decision


def of_vm(session: Session, vm: str) -> Sequence[PlacementRow]:
    """A VM's placements, the newest first."""
    return session.scalars(select(PlacementRow).where(PlacementRow.vm == vm).order_by(PlacementRow.number.desc())).all()


_FIRST_TO_GO: Final = (
    select(PlacementRow.number)
    .where(PlacementRow.vm.is_(None), PlacementRow.project == bindparam("of"))
    .order_by(PlacementRow.number.desc())
    .offset(bindparam("keep"))
    .limit(1)
    .scalar_subquery()
)
_PRUNE: Final = (
    delete(PlacementRow)
    .where(PlacementRow.vm.is_(None), PlacementRow.project == bindparam("of"), PlacementRow.number <= _FIRST_TO_GO)
    .execution_options(synchronize_session=False)
)


def prune(session: Session, project: str, *, keep: int) -> None:
    """Drop a project's oldest decisions that found no host, but for so many."""
    session.execute(_PRUNE, {"of": project, "keep": keep})
