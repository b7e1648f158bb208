"""Placements, as services show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minicloud_core.scheduler.record import unpack

from minicloud.store.placement import PlacementRow, Record


@dataclass(frozen=True)
class PlacementView:
    """A decision of the scheduler for one VM. ``decision`` is ``Decision.to_mapping``."""

    vm: str
    operation: str
    host: str | None
    at: datetime
    policy_version: str | None
    decision: Mapping[str, Any]


@dataclass(frozen=True)
class RecordView:
    """A decision without what it says of each host.

    :param id: its number; later ones have higher ones.
    :param vm: None where no host would do, as are ``operation`` and ``host``.
    :param actor: who asked, on the request ``request_id``.
    :param ended_at: when the VM was deleted; None while it is not, or where there is none.
    :param request: what had been asked for, as the decision has it.
    :param preempts: the VMs that had to make room for it, as the decision has them.
    """

    id: int
    vm: str | None
    name: str
    project: str
    operation: str | None
    host: str | None
    at: datetime
    ended_at: datetime | None
    policy: str
    policy_version: str | None
    request: Mapping[str, Any]
    preempts: tuple[Mapping[str, Any], ...]
    actor: str
    request_id: str


@dataclass(frozen=True)
class DecisionView(RecordView):
    """The same with all that it says. ``decision`` is ``Decision.to_mapping``."""

    decision: Mapping[str, Any]


def show_placement(row: PlacementRow) -> PlacementView:
    """A VM's placement."""
    assert row.vm is not None
    assert row.operation is not None
    return PlacementView(
        vm=row.vm,
        operation=row.operation,
        host=row.host,
        at=row.at,
        policy_version=row.decision.get("policy_version"),
        decision=unpack(row.decision),
    )


def show_record(row: Record) -> RecordView:
    return RecordView(**_said(row))


def show_decision(row: Record, decision: Mapping[str, Any]) -> DecisionView:
    return DecisionView(**_said(row), decision=unpack(decision))


def _said(row: Record) -> dict[str, Any]:
    known = {name: value for name, value in vars(row).items() if name != "number"}
    # Decisions older than preemption do not say.
    return {"id": row.number, **known, "preempts": tuple(row.preempts or ())}
