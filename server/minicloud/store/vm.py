"""VMs: what is wanted, what is under way, what was observed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, ForeignKey, Index, Select, bindparam, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from .base import Base


class VmRow(Base):
    """A VM. ``image_content`` is the image as it was at creation: another image of that name later changes nothing.

    ``yields_to`` is the VM for which it is to make room, and ``preempted`` says for which it has: from then on it has
    no share of its host but its disks'.
    """

    __tablename__ = "vms"
    __table_args__ = (
        # A name is free again once its VM is deleted.
        Index(
            "uq_vms_project_name",
            "project",
            "name",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
            sqlite_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_vms_yields_to",
            "yields_to",
            postgresql_where=text("yields_to IS NOT NULL"),
            sqlite_where=text("yields_to IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(unique=True)
    uuid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    project: Mapped[str] = mapped_column(ForeignKey("projects.name"))
    spec: Mapped[dict[str, Any]]
    spec_hash: Mapped[str]
    cpu: Mapped[int]
    ram_mib: Mapped[int] = mapped_column(BigInteger)
    disk_bytes: Mapped[int] = mapped_column(BigInteger)
    image: Mapped[str] = mapped_column(index=True)
    image_content: Mapped[dict[str, Any]]
    disks: Mapped[list[Any]]
    nics: Mapped[list[Any]]
    labels: Mapped[dict[str, str]]
    created_at: Mapped[datetime]

    desired: Mapped[str]
    status: Mapped[str] = mapped_column(index=True)
    status_reason: Mapped[str] = mapped_column(default="")
    host: Mapped[str | None] = mapped_column(ForeignKey("hosts.name"), index=True)
    epoch: Mapped[int] = mapped_column(BigInteger, default=0)
    operation: Mapped[str | None]
    yields_to: Mapped[str | None]
    preempted: Mapped[dict[str, Any] | None]
    settled_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    correction_attempts: Mapped[int] = mapped_column(default=0)
    correction_not_before: Mapped[datetime | None]

    observed_state: Mapped[str | None]
    observed_host: Mapped[str | None]
    observed_at: Mapped[datetime | None]
    cpu_time_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    addresses: Mapped[list[Any]] = mapped_column(default=list)

    @property
    def aim(self) -> str:
        """What its host is to show: who has no room is off, whatever is wanted once there is room again."""
        return "stopped" if self.preempted is not None and self.desired in ("running", "paused") else self.desired

    @property
    def priority(self) -> int:
        """The larger, the more it matters."""
        return int((self.spec.get("scheduling") or {}).get("priority", 0))

    @property
    def architecture(self) -> str:
        """Of what it boots from."""
        return str(self.image_content["architecture"])


# Written once: to put them together anew costs three times what the database takes to answer them.
_BY_NAME: Final = select(VmRow).where(
    VmRow.deleted_at.is_(None), VmRow.project == bindparam("within"), VmRow.name == bindparam("called")
)
_NAMED: Final = select(VmRow).where(
    VmRow.deleted_at.is_(None),
    VmRow.project.in_(bindparam("projects", expanding=True)),
    VmRow.name.in_(bindparam("names", expanding=True)),
)
_USAGE: Final = (
    select(
        VmRow.project,
        func.count(),
        func.coalesce(func.sum(VmRow.cpu), 0),
        func.coalesce(func.sum(VmRow.ram_mib), 0),
        func.coalesce(func.sum(VmRow.disk_bytes), 0),
    )
    .where(VmRow.deleted_at.is_(None), VmRow.project.in_(bindparam("projects", expanding=True)))
    .group_by(VmRow.project)
)


def find(session: Session, vm_id: str) -> VmRow | None:
    """The VM of that id, deleted or not."""
    return session.get(VmRow, vm_id)


def several(session: Session, vm_ids: Collection[str]) -> Mapping[str, VmRow]:
    """VMs by their ids, deleted or not."""
    return {row.id: row for row in session.scalars(select(VmRow).where(VmRow.id.in_(vm_ids)))}


def lock(session: Session, vm_id: str) -> VmRow | None:
    """The VM, for this transaction alone, deleted or not."""
    query = select(VmRow).where(VmRow.id == vm_id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one_or_none()


def lock_many(session: Session, vm_ids: Collection[str]) -> Mapping[str, VmRow]:
    """VMs, for this transaction alone, always locked in one order."""
    query = select(VmRow).where(VmRow.id.in_(vm_ids)).order_by(VmRow.id).with_for_update(key_share=True)
    return {row.id: row for row in session.scalars(query.execution_options(populate_existing=True))}


def by_reference(session: Session, reference: str, project: str | None) -> Sequence[VmRow]:
    """VMs that are not deleted, by id or by name, at most two.

    :param project: None for all projects.
    """
    query = _alive().where((VmRow.id == reference) | (VmRow.name == reference)).order_by(VmRow.number).limit(2)
    return session.scalars(_within(query, project)).all()


def by_name(session: Session, project: str, name: str) -> VmRow | None:
    """The VM of that name that is not deleted."""
    return session.scalars(_BY_NAME, {"within": project, "called": name}).one_or_none()


def named(session: Session, projects: Collection[str], names: Collection[str]) -> Mapping[tuple[str, str], VmRow]:
    """The VMs of those names in those projects that are not deleted, by project and name."""
    rows = session.scalars(_NAMED, {"projects": [*projects], "names": [*names]})
    return {(row.project, row.name): row for row in rows}


def by_uuids(session: Session, uuids: Collection[str]) -> Mapping[str, VmRow]:
    """VMs, deleted or not, by their libvirt UUID."""
    return {row.uuid: row for row in session.scalars(select(VmRow).where(VmRow.uuid.in_(uuids)))}


def on_host(session: Session, host: str) -> Sequence[VmRow]:
    return session.scalars(_alive().where(VmRow.host == host).order_by(VmRow.id)).all()


def alive(session: Session) -> Sequence[VmRow]:
    return session.scalars(_alive().order_by(VmRow.number)).all()


def yielding(session: Session, vm: str | None = None) -> Sequence[VmRow]:
    """VMs that are to make room for another.

    :param vm: for that one alone; None for any.
    """
    query = _alive().where(VmRow.yields_to.is_not(None) if vm is None else VmRow.yields_to == vm)
    return session.scalars(query.order_by(VmRow.number)).all()


def at_rest(session: Session, among: Collection[str] | None = None) -> frozenset[str]:
    """The ids of VMs that are on, off or paused, are wanted, and make room for nobody.

    :param among: of those; None for all.
    """
    query = select(VmRow.id).where(
        VmRow.deleted_at.is_(None),
        VmRow.status.in_(("running", "paused", "stopped")),
        VmRow.desired != "absent",
        VmRow.yields_to.is_(None),
        VmRow.preempted.is_(None),
    )
    return frozenset(session.scalars(query if among is None else query.where(VmRow.id.in_(among))))


def of_image(session: Session, image: str) -> Sequence[str]:
    """Ids of VMs that boot from an image."""
    query = select(VmRow.id).where(VmRow.deleted_at.is_(None), VmRow.image == image)
    return session.scalars(query.order_by(VmRow.number)).all()


def page(
    session: Session,
    *,
    after: int | None,
    limit: int,
    project: str | None,
    name: str | None,
    status: str | None,
    host: str | None,
    labels: Mapping[str, str],
) -> Sequence[VmRow]:
    """VMs that are not deleted, by number. None does not filter."""
    query = _within(_alive(), project).order_by(VmRow.number).limit(limit)
    if after is not None:
        query = query.where(VmRow.number > after)
    for column, value in ((VmRow.name, name), (VmRow.status, status), (VmRow.host, host)):
        if value is not None:
            query = query.where(column == value)
    for key, value in labels.items():
        query = query.where(VmRow.labels[key].as_string() == value)
    return session.scalars(query).all()


def usage(session: Session, projects: Collection[str]) -> Mapping[str, tuple[int, int, int, int]]:
    """For each project its number of VMs, and their virtual CPUs, MiB and bytes."""
    rows = session.execute(_USAGE, {"projects": [*projects]})
    return {row[0]: (int(row[1]), int(row[2]), int(row[3]), int(row[4])) for row in rows}


def counts(session: Session) -> Mapping[str, int]:
    """How many VMs are in which status; deleted ones are not counted."""
    query = select(VmRow.status, func.count()).where(VmRow.deleted_at.is_(None)).group_by(VmRow.status)
    return {row[0]: row[1] for row in session.execute(query)}


def _alive() -> Select[VmRow]:
    return select(VmRow).where(VmRow.deleted_at.is_(None))


def _within(query: Select[VmRow], project: str | None) -> Select[VmRow]:
    return query if project is None else query.where(VmRow.project == project)
