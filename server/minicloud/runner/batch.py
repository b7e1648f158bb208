"""Which claims go into one run.

A run costs about a second of processor before its first task, a further host in it a fifth of that: so what waits for
the same playbook goes together, one task for each host with the list of its orders.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from minicloud.services.view.operation import Claim

# Orders that a module carries out at once on one host; the rest of the list waits.
_PARALLEL = 4

# What a run may take besides waiting for its VMs, in seconds: start, SSH, and for a create fetching an image.
_ALLOWANCE = {"create_vm.yml": 900.0, "migrate_vm.yml": 900.0}
_ALLOWANCE_DEFAULT = 120.0
_WAIT_DEFAULT = 60.0


@dataclass(frozen=True)
class Batch:
    """Claims that one run of ``playbook`` carries out."""

    playbook: str
    claims: tuple[Claim, ...]

    def by_host(self) -> dict[str, tuple[Claim, ...]]:
        """The claims of each connection, by its name in the inventory."""
        groups: dict[str, list[Claim]] = defaultdict(list)
        for claim in self.claims:
            groups[claim.connection.name].append(claim)
        return {name: tuple(claims) for name, claims in groups.items()}

    @property
    def timeout(self) -> float:
        """Seconds after which the run hangs rather than works."""
        rounds = max(ceil(len(claims) / _PARALLEL) for claims in self.by_host().values())
        longest = max(_patience(claim) for claim in self.claims)
        return _ALLOWANCE.get(self.playbook, _ALLOWANCE_DEFAULT) + rounds * longest


def group(claims: Iterable[Claim]) -> list[Batch]:
    """Sort claims into runs: one for each playbook, in the order in which its first claim came."""
    groups: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        groups[claim.playbook].append(claim)
    return [Batch(playbook, tuple(members)) for playbook, members in groups.items()]


def _patience(claim: Claim) -> float:
    order = claim.order
    waits = float(order.get("wait") or order.get("timeout") or _WAIT_DEFAULT)
    return waits + float(order.get("graceful") or 0)
