"""A reservation, as services show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from minicloud_core.model.vm import DEFAULT_POOL
from minicloud_core.scheduler.record import unpack

_NOTHING_TOLD: Final[Mapping[str, Any]] = {"preempts": [], "refused": [], "obstacles": [], "remedies": []}


@dataclass(frozen=True)
class ReservationView:
    """A reservation. ``id`` is empty in the answer to a dry run, since none was given out.

    :param state: ``held``, ``used``, ``released`` or ``expired``. One whose time is over has expired, whether or not
        that is written down yet.
    :param spec: the VM that would have the room, as ``VmSpec.to_mapping`` has it.
    :param record: what is kept of the scheduler's decision; ``decision`` is its mapping.
    :param vm: the id of the VM that took the room; None while none did.
    :param ended_at: when it was used, released or expired; None while it is held.
    """

    id: str
    name: str | None
    project: str
    state: str
    host: str
    cpu: int
    ram_mib: int
    disk_bytes: int
    spec: Mapping[str, Any]
    record: Mapping[str, Any]
    vm: str | None
    actor: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    @property
    def image(self) -> str:
        return str(self.spec["image"])

    @property
    def disks(self) -> Sequence[Mapping[str, Any]]:
        """``size`` in bytes and ``pool`` of each, the one among them that an image brings along."""
        asked: Sequence[Mapping[str, Any]] = self.spec["disks"]
        return asked or ([{"size": self.disk_bytes, "pool": DEFAULT_POOL}] if self.disk_bytes else [])

    @property
    def nics(self) -> Sequence[Mapping[str, str]]:
        """``network`` and ``model`` of each."""
        nics: Sequence[Mapping[str, str]] = self.spec["nics"]
        return nics

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.spec["labels"]
        return labels

    @property
    def scheduling(self) -> Mapping[str, Any]:
        """What was asked of its place, as ``SchedulingSpec.to_mapping`` has it."""
        scheduling: Mapping[str, Any] = self.spec.get("scheduling", {})
        return scheduling

    @property
    def decision(self) -> Mapping[str, Any]:
        """As ``Decision.to_mapping`` has it. Of a decision that is kept, few hosts are told one by one."""
        return {**_NOTHING_TOLD, **unpack(self.record)}


@dataclass(frozen=True)
class ReservationCreation:
    """The answer to one that was wished for.

    :param created: False when one of that name was held already, for the same.
    :param replayed: the Idempotency-Key was seen before; this is what it made then.
    """

    reservation: ReservationView
    created: bool
    replayed: bool = False


@dataclass(frozen=True)
class ReservationChange:
    """The answer to a release. ``changed`` is False when the reservation had ended already."""

    reservation: ReservationView
    changed: bool
    replayed: bool = False


def show_reservation(columns: Mapping[str, Any], now: datetime) -> ReservationView:
    """:param columns: of its row."""
    state, ended_at = columns["state"], columns["ended_at"]
    if state == "held" and columns["expires_at"] <= now:
        state, ended_at = "expired", columns["expires_at"]
    return ReservationView(
        id=columns["id"],
        name=columns["name"],
        project=columns["project"],
        state=state,
        host=columns["host"],
        cpu=columns["cpu"],
        ram_mib=columns["ram_mib"],
        disk_bytes=columns["disk_bytes"],
        spec=columns["spec"],
        record=columns["decision"],
        vm=columns["vm"],
        actor=columns["actor"],
        created_at=columns["created_at"],
        expires_at=columns["expires_at"],
        ended_at=ended_at,
    )
