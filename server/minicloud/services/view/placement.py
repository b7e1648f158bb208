"""Placements, as services show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from minicloud_core.scheduler.record import unpack

from minicloud.store.placement import PlacementRow


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

    :param ended_at: when the VM was deleted; None while it is not.
    :param request: what had been asked for, as the decision has it.
    """

    vm: str
    name: str
    project: str
    operation: str
    host: str | None
    at: datetime
    ended_at: datetime | None
    policy: str
    policy_version: str | None
    request: Mapping[str, Any]


def show_placement(row: PlacementRow) -> PlacementView:
    return PlacementView(
        vm=row.vm,
        operation=row.operation,
        host=row.host,
        at=row.at,
        policy_version=row.decision.get("policy_version"),
        decision=unpack(row.decision),
    )
