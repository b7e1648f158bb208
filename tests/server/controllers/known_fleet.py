"""A fleet for planners: everything as desired unless a test says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from minicloud.services.view.fleet import FleetCreate, FleetDomain, FleetHost, FleetVm

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def vm(**changes: Any) -> FleetVm:
    content: dict[str, Any] = {
        "id": "vm-101",
        "name": "web01",
        "desired": "running",
        "status": "running",
        "host": "node1",
        "host_state": "ready",
        "operation": None,
        "observed_state": "running",
        "observed_at": ago(1),
        "settled_at": ago(60),
        "attempts": 0,
        "not_before": None,
    }
    return FleetVm(**{**content, **changes})


def host(**changes: Any) -> FleetHost:
    content: dict[str, Any] = {
        "name": "node1",
        "state": "ready",
        "cordoned": False,
        "observed_at": ago(1),
        "silent_since": None,
        "silence_reason": "",
        "fence": True,
        "fence_operation": None,
        "fence_not_before": None,
    }
    return FleetHost(**{**content, **changes})


def copy(**changes: Any) -> FleetDomain:
    content: dict[str, Any] = {
        "host": "node2",
        "host_state": "ready",
        "uuid": "8a6e3f1c-0000-4000-8000-000000000101",
        "vm": "vm-101",
        "state": "running",
        "epoch": 2,
        "vm_epoch": 3,
        "vm_host": "node1",
        "seen_at": ago(1),
        "purge_operation": None,
    }
    return FleetDomain(**{**content, **changes})


def create(**changes: Any) -> FleetCreate:
    content: dict[str, Any] = {
        "operation": "op-1",
        "vm": "vm-101",
        "host": "node1",
        "host_state": "down",
        "begun": True,
        "created_at": ago(30),
    }
    return FleetCreate(**{**content, **changes})
