"""What another policy would have done otherwise, in a few figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from minicloud_core.scheduler.policy import Policy

from .retrial import Retrial


@dataclass
class Comparison:
    """Counts decisions made again, and keeps those that came out otherwise.

    :param elsewhere: those with a host that would have had another.
    :param refused: those with a host that would have had none; ``accepted`` the other way round.
    :param by_policy: how many of those the other policy alone makes different; the rest would, by now, come out
        otherwise under the policy that decided too.
    :param strangers: policies that decided and are not at hand, with their versions; of theirs ``by_policy`` counts
        none.
    """

    policy: Policy
    decisions: int = 0
    same: int = 0
    elsewhere: int = 0
    refused: int = 0
    accepted: int = 0
    by_policy: int = 0
    strangers: dict[tuple[str, str | None], int] = field(default_factory=dict)
    differences: list[Retrial] = field(default_factory=list)

    def count(self, retrials: Iterable[Retrial]) -> None:
        for retrial in retrials:
            self.decisions += 1
            if not retrial.known:
                stranger = retrial.record.policy, retrial.record.version
                self.strangers[stranger] = self.strangers.get(stranger, 0) + 1
            if retrial.same:
                self.same += 1
                continue
            self.differences.append(retrial)
            self.by_policy += retrial.by_policy
            if retrial.host is None:
                self.refused += 1
            elif retrial.record.host is None:
                self.accepted += 1
            else:
                self.elsewhere += 1

    def to_mapping(self) -> dict[str, Any]:
        return {
            "policy": self.policy.name,
            "policy_version": self.policy.version,
            "decisions": self.decisions,
            "same": self.same,
            "elsewhere": self.elsewhere,
            "refused": self.refused,
            "accepted": self.accepted,
            "by_policy": self.by_policy,
            "strangers": [
                {"policy": policy, "policy_version": version, "decisions": count}
                for (policy, version), count in self.strangers.items()
            ],
            "differences": [retrial.to_mapping() for retrial in self.differences],
        }
