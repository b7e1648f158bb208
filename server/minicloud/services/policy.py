"""Which policy a decision goes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from minicloud_core.scheduler.policy import BALANCED, Policy


class PolicySource(Protocol):
    """Where the policy comes from. It may change between two decisions."""

    def current(self) -> Policy:
        """The policy that counts now; ask once for each decision."""


@dataclass(frozen=True)
class FixedPolicy:
    """A policy that stays what it is."""

    policy: Policy

    def current(self) -> Policy:
        return self.policy


DEFAULT: Final = FixedPolicy(BALANCED)
