"""Projects, their quotas and use, as services show and take them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Quota:
    """The most that a project may have, and the highest priority that its VMs may ask for; None for no limit."""

    vms: int | None = None
    cpu: int | None = None
    ram_mib: int | None = None
    disk_bytes: int | None = None
    priority_max: int | None = None


@dataclass(frozen=True)
class Usage:
    """What a project has."""

    vms: int
    cpu: int
    ram_mib: int
    disk_bytes: int


@dataclass(frozen=True)
class ProjectView:
    name: str
    quota: Quota
    usage: Usage
    created_at: datetime
    updated_at: datetime
