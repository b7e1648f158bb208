"""Counts for metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """``operations`` by kind and state, ``hosts`` and ``reservations`` by state, ``vms`` by status."""

    operations: dict[tuple[str, str], int]
    hosts: dict[str, int]
    vms: dict[str, int]
    reservations: dict[str, int]
