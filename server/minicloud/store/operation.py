"""Operations: the queue, and the history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from minicloud_core.model.host import REACHABLE
from minicloud_core.model.operation import OPEN
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    Select,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from .base import Base, Serial
from .host import HostRow
from .vm import VmRow

HELD = ("claimed", "running")


class OperationRow(Base):
    """An operation. ``number`` orders those of one VM, whose row is locked when one is added.

    ``exclusive`` operations take their VM for themselves; others (a fence, a purge of a stale copy) only name it.
    Hosts are named without foreign keys: history outlives a host. ``begun`` says that some run may have acted.
    ``previous`` is what the VM was, for taking the operation back. ``after`` names operations that had to end before
    it could be queued; None where there were none.
    """

    __tablename__ = "operations"
    __table_args__ = (
        Index(
            "ix_operations_open",
            "state",
            "not_before",
            postgresql_where=text("state IN ('waiting', 'queued', 'claimed', 'running')"),
            sqlite_where=text("state IN ('waiting', 'queued', 'claimed', 'running')"),
        ),
        # The database's own word on "one run a VM", should a query ever be wrong.
        Index(
            "uq_operations_vm_held",
            "vm",
            unique=True,
            postgresql_where=text("exclusive AND state IN ('claimed', 'running')"),
            sqlite_where=text("exclusive AND state IN ('claimed', 'running')"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(Serial, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued")
    exclusive: Mapped[bool] = mapped_column(default=True)
    priority: Mapped[int] = mapped_column(default=10)
    vm: Mapped[str | None] = mapped_column(ForeignKey("vms.id"), index=True)
    host: Mapped[str | None] = mapped_column(index=True)
    destination: Mapped[str | None]
    project: Mapped[str | None] = mapped_column(ForeignKey("projects.name"), index=True)
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    previous: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[list[Any] | None]
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    command: Mapped[str] = mapped_column(default="")
    actor: Mapped[str] = mapped_column(default="")
    request_id: Mapped[str] = mapped_column(default="")

    tries: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[datetime]
    epoch: Mapped[int | None] = mapped_column(BigInteger)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    begun: Mapped[bool] = mapped_column(default=False)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    run: Mapped[str | None]

    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


def _has_predecessor() -> ColumnElement[bool]:
    earlier = aliased(OperationRow)
    return exists().where(
        and_(
            earlier.vm == OperationRow.vm,
            earlier.exclusive,
            earlier.state.in_(sorted(OPEN)),
            earlier.number < OperationRow.number,
        )
    )


def _ready(*, of_kinds: bool) -> Select[OperationRow]:
    reachable = exists().where(HostRow.name == OperationRow.host, HostRow.state.in_(sorted(REACHABLE)))
    # A host that came back is rid of stale copies before anything else may happen there.
    returning = exists().where(HostRow.name == OperationRow.host, HostRow.state == "registering")
    query = (
        select(OperationRow)
        .where(
            OperationRow.state == "queued",
            OperationRow.not_before <= bindparam("now"),
            # A fence is for hosts that do not answer; it runs on the control node.
            or_(OperationRow.kind == "host.fence", reachable, and_(OperationRow.kind == "domain.purge", returning)),
        )
        .order_by(OperationRow.priority, OperationRow.number)
        .limit(bindparam("most"))
        .execution_options(populate_existing=True)
    )
    return query.where(OperationRow.kind.in_(bindparam("kinds", expanding=True))) if of_kinds else query


def _claimable(*, of_kinds: bool) -> tuple[Select[OperationRow], Select[OperationRow]]:
    """Operations that take a VM for themselves, and others."""
    ready = _ready(of_kinds=of_kinds)
    taking = (
        ready.join(VmRow, VmRow.id == OperationRow.vm)
        .where(OperationRow.exclusive, ~_has_predecessor())
        .with_for_update(of=(OperationRow, VmRow), skip_locked=True, key_share=True)
    )
    naming = ready.where(~OperationRow.exclusive).with_for_update(of=OperationRow, skip_locked=True, key_share=True)
    return taking, naming


_CREATES: Final = (
    select(OperationRow.host, func.count())
    .where(OperationRow.kind == "vm.create", OperationRow.state.in_(sorted(OPEN)), OperationRow.host.is_not(None))
    .group_by(OperationRow.host)
)

# Written once, of all kinds and of some: to put them together anew costs more than the database takes to answer them.
_CLAIMABLE: Final = (_claimable(of_kinds=False), _claimable(of_kinds=True))


def find(session: Session, operation_id: str) -> OperationRow | None:
    return session.scalars(select(OperationRow).where(OperationRow.id == operation_id)).one_or_none()


def lock(session: Session, operation_id: str) -> OperationRow | None:
    """The operation, for this transaction alone. Its VM is locked first: one order, so no two wait for each other."""
    query = select(OperationRow).where(OperationRow.id == operation_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def open_of_vm(session: Session, vm: str) -> Sequence[OperationRow]:
    """Open operations that take a VM for themselves, in order."""
    query = select(OperationRow).where(
        OperationRow.vm == vm, OperationRow.exclusive, OperationRow.state.in_(sorted(OPEN))
    )
    return session.scalars(query.order_by(OperationRow.number)).all()


def open_of_vms(session: Session) -> Mapping[str, OperationRow]:
    """For each VM with an open operation that takes it, the first of them."""
    query = select(OperationRow).where(OperationRow.exclusive, OperationRow.state.in_(sorted(OPEN)))
    rows = session.scalars(query.order_by(OperationRow.number.desc()))
    return {row.vm: row for row in rows if row.vm is not None}


def busy_vms(session: Session) -> frozenset[str]:
    """The ids of VMs with an open operation that takes them."""
    query = select(OperationRow.vm).where(OperationRow.exclusive, OperationRow.state.in_(sorted(OPEN)))
    return frozenset(str(vm) for vm in session.scalars(query))


def open_of_kind(
    session: Session, kind: str, *, host: str | None = None, vm: str | None = None
) -> Sequence[OperationRow]:
    query = select(OperationRow).where(OperationRow.kind == kind, OperationRow.state.in_(sorted(OPEN)))
    if host is not None:
        query = query.where(OperationRow.host == host)
    if vm is not None:
        query = query.where(OperationRow.vm == vm)
    return session.scalars(query.order_by(OperationRow.number)).all()


def waiting(session: Session) -> Sequence[OperationRow]:
    """Operations that wait for others."""
    query = select(OperationRow).where(OperationRow.state == "waiting")
    return session.scalars(query.order_by(OperationRow.number)).all()


def failed_since(session: Session, kind: str, host: str, vm: str, moment: datetime) -> bool:
    """Whether an operation of that kind, there and for that VM, failed after a moment."""
    query = select(OperationRow.number).where(
        OperationRow.kind == kind,
        OperationRow.host == host,
        OperationRow.vm == vm,
        OperationRow.state == "failed",
        OperationRow.ended_at > moment,
    )
    return session.scalars(query.limit(1)).first() is not None


def open_on_host(session: Session, host: str) -> Sequence[OperationRow]:
    """Open operations that are carried out on a host or bring a VM there."""
    query = select(OperationRow).where(
        or_(OperationRow.host == host, OperationRow.destination == host), OperationRow.state.in_(sorted(OPEN))
    )
    return session.scalars(query.order_by(OperationRow.number)).all()


def claimable(session: Session, *, now: datetime, limit: int, kinds: Collection[str] | None) -> Sequence[OperationRow]:
    """Queued operations that may be begun, the most urgent first, locked with their VMs for this transaction.

    Rows that another transaction has locked are passed over rather than waited for, so claimers never queue behind
    each other, and never wait while they hold something.
    """
    values = {"now": now, "most": limit, "kinds": [*(kinds or ())]}
    rows = [row for query in _CLAIMABLE[kinds is not None] for row in session.scalars(query, values)]
    rows.sort(key=lambda row: (row.priority, row.number))
    return rows[:limit]


def creates_by_host(session: Session) -> Mapping[str, int]:
    """How many VMs are being created on each host, or wait for it."""
    return {str(row[0]): int(row[1]) for row in session.execute(_CREATES)}


def has_predecessor(session: Session, operation: OperationRow) -> bool:
    """Whether an earlier operation has the VM still."""
    query = select(OperationRow.number).where(OperationRow.number == operation.number, _has_predecessor())
    return session.scalars(query).first() is not None


def lock_many(session: Session, operation_ids: Collection[str]) -> Mapping[str, OperationRow]:
    """Lock operations, in the order in which everybody does who takes several."""
    query = (
        select(OperationRow)
        .where(OperationRow.id.in_(operation_ids))
        .order_by(OperationRow.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in session.scalars(query)}


def cancelled(session: Session, operation_ids: Collection[str]) -> Sequence[str]:
    """Those of the operations that somebody asked to cancel."""
    query = select(OperationRow.id).where(OperationRow.id.in_(operation_ids), OperationRow.cancel_requested)
    return session.scalars(query).all()


def overdue(session: Session, now: datetime) -> Sequence[OperationRow]:
    """Operations whose lease has run out; not locked."""
    query = select(OperationRow).where(OperationRow.state.in_(HELD), OperationRow.lease_until < now)
    return session.scalars(query.order_by(OperationRow.number)).all()


def page(
    session: Session,
    *,
    before: int | None,
    limit: int,
    project: str | None,
    state: str | None,
    kind: str | None,
    vm: str | None,
    host: str | None,
) -> Sequence[OperationRow]:
    """Operations, the newest first. None does not filter."""
    query = select(OperationRow).order_by(OperationRow.number.desc()).limit(limit)
    if before is not None:
        query = query.where(OperationRow.number < before)
    filters = (
        (OperationRow.project, project),
        (OperationRow.state, state),
        (OperationRow.kind, kind),
        (OperationRow.vm, vm),
        (OperationRow.host, host),
    )
    for column, value in filters:
        if value is not None:
            query = query.where(column == value)
    return session.scalars(query).all()


def counts(session: Session) -> Mapping[tuple[str, str], int]:
    """How many operations of a kind are in a state."""
    query = select(OperationRow.kind, OperationRow.state, func.count()).group_by(OperationRow.kind, OperationRow.state)
    return {(kind, state): count for kind, state, count in session.execute(query)}
