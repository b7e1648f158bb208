# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""An operation: one change to one resource, from intent to end."""

from __future__ import annotations

from typing import Final

from .transition import TransitionTable

OPERATION_TRANSITIONS: Final = TransitionTable(
    "Operation",
    {
        # Others have to end first, those that it names: nobody may claim it before it is queued.
        "waiting": ("queued", "cancelled", "failed"),
        "queued": ("claimed", "cancelled", "failed"),
        "claimed": ("running", "queued", "succeeded", "failed", "cancelled"),
        "running": ("succeeded", "failed", "cancelled", "queued"),
        "succeeded": (),
        "failed": (),
        "cancelled": (),
    },
)
OPEN: Final = frozenset({"waiting", "queued", "claimed", "running"})
# What no run has taken: it can be cancelled, or go to another host, at once.
UNCLAIMED: Final = frozenset({"waiting", "queued"})
ENDED: Final = frozenset({"succeeded", "failed", "cancelled"})

# Which playbook carries out which kind.
PLAYBOOKS: Final[dict[str, str]] = {
    "vm.create": "create_vm.yml",
    "vm.start": "power_vm.yml",
    "vm.stop": "power_vm.yml",
    "vm.reboot": "power_vm.yml",
    "vm.reset": "power_vm.yml",
    "vm.pause": "power_vm.yml",
    "vm.resume": "power_vm.yml",
    "vm.delete": "destroy_vm.yml",
    "vm.migrate": "migrate_vm.yml",
    "host.fence": "fence_host.yml",
    # A stale copy of a VM that lives elsewhere now, on a host that came back.
    "domain.purge": "destroy_vm.yml",
}
KINDS: Final = tuple(PLAYBOOKS)

# How often a kind is tried before it has failed. A create is patient: its host may die under it.
TRIES: Final[dict[str, int]] = {"vm.create": 8, "host.fence": 5}
DEFAULT_TRIES: Final = 3
