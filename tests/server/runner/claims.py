"""Claims for tests, on hosts that are this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from minicloud.services.view.operation import Claim, Connection

LOCAL = Connection("node1", "127.0.0.1", local=True)


def claim(number: int = 1, **changes: Any) -> Claim:
    """A claimed create of ``vm-10N`` on ``node1``."""
    content: dict[str, Any] = {
        "operation": f"op-{number}",
        "kind": "vm.create",
        "vm": f"vm-10{number}",
        "host": "node1",
        "owner": "tests",
        "epoch": 1,
        "attempt": 1,
        "order": {"id": f"vm-10{number}", "operation": f"op-{number}", "epoch": 1, "wait": 60.0, "graceful": 20.0},
        "playbook": "create_vm.yml",
        "connection": LOCAL,
        "lease_until": datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    }
    return Claim(**{**content, **changes})


def remote(name: str, address: str = "192.0.2.11", **changes: Any) -> Connection:
    return Connection(name, address, **changes)
