"""What projects have: their VMs, and the reservations that take room now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from minicloud.store import reservation as reservations
from minicloud.store import vm as vms
from minicloud.store.store import Session

# VMs, virtual CPUs, MiB and bytes.
Amounts = tuple[int, int, int, int]
NOTHING: Final[Amounts] = (0, 0, 0, 0)


def of_projects(session: Session, projects: Collection[str], now: datetime) -> Mapping[str, Amounts]:
    """For each project that has anything what counts against its quota. A reservation counts as its VM would."""
    used = dict(vms.usage(session, projects))
    for project, held in reservations.usage(session, projects, now).items():
        used[project] = plus(used.get(project, NOTHING), held)
    return used


def plus(one: Amounts, other: Amounts) -> Amounts:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


def less(one: Amounts, other: Amounts) -> Amounts:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2], one[3] - other[3]
