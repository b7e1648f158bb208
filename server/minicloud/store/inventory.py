"""The versioned views that inventories read; the tables behind them stay private."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session


def hosts(session: Session) -> Sequence[dict[str, Any]]:
    """Rows of ``inventory_v1_hosts``; ``labels`` is JSON text."""
    rows = session.execute(text("SELECT * FROM inventory_v1_hosts ORDER BY name")).mappings()
    return [dict(row) for row in rows]


def vms(session: Session, *, project: str | None) -> Sequence[dict[str, Any]]:
    """Rows of ``inventory_v1_vms``; ``labels`` and ``addresses`` are JSON text.

    :param project: None for all projects.
    """
    if project is None:
        rows = session.execute(text("SELECT * FROM inventory_v1_vms ORDER BY id")).mappings()
    else:
        rows = session.execute(
            text("SELECT * FROM inventory_v1_vms WHERE project = :project ORDER BY id"), {"project": project}
        ).mappings()
    return [dict(row) for row in rows]
