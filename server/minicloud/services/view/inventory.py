"""Inventories, as services show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Inventory:
    """Rows of ``inventory_v1_hosts`` and ``inventory_v1_vms``; their JSON columns are text."""

    hosts: tuple[Mapping[str, Any], ...]
    vms: tuple[Mapping[str, Any], ...]
