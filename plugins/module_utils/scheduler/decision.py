# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the scheduler decided, and why, host by host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..model.errors import NoCapacityError
from ..model.reason import Reason
from ..model.units import MIB, format_cpu, format_mib
from .remedy import Remedy
from .request import Request


@dataclass(frozen=True)
class Part:
    """One scorer's word on a host: ``value`` 0 to 1, and what it weighs in the policy."""

    scorer: str
    value: float
    weight: float

    def to_mapping(self) -> dict[str, Any]:
        return {"scorer": self.scorer, "value": round(self.value, 6), "weight": self.weight}


@dataclass(frozen=True)
class Candidate:
    """A host that would do. ``score`` is the weighted mean of its parts, 0 to 1."""

    host: str
    score: float
    parts: tuple[Part, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        return {
            "host": self.host,
            "score": round(self.score, 6),
            "parts": [part.to_mapping() for part in self.parts],
        }


@dataclass(frozen=True)
class Refusal:
    """A host that will not do, with every rule that says so."""

    host: str
    reasons: tuple[Reason, ...]

    def to_mapping(self) -> dict[str, Any]:
        return {"host": self.host, "reasons": [reason.to_mapping() for reason in self.reasons]}


@dataclass(frozen=True)
class Decision:
    """The answer to one request.

    :param host: the host chosen; None when none will do.
    :param accepted: hosts that would do, best first: the first is the one chosen.
    :param refused: the others, by name.
    :param policy: the name of the policy that decided.
    :param policy_version: which of its versions; see ``Policy.version``.
    :param at: the time it was given, in Unix seconds.
    :param remedies: where ``host`` is None, changes of which each would have made it fit.
    """

    request: Request
    host: str | None
    accepted: tuple[Candidate, ...]
    refused: tuple[Refusal, ...]
    policy: str
    policy_version: str
    at: float
    remedies: tuple[Remedy, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """The decision as JSON, as it is kept with the VM and shown by the API."""
        return {
            "host": self.host,
            "policy": self.policy,
            "policy_version": self.policy_version,
            "at": self.at,
            "request": _request_mapping(self.request),
            "accepted": [candidate.to_mapping() for candidate in self.accepted],
            "refused": [refusal.to_mapping() for refusal in self.refused],
            "remedies": [remedy.to_mapping() for remedy in self.remedies],
        }

    def no_capacity(self) -> NoCapacityError:
        """The error that says, for each host, why it refused. For a decision without a host."""
        asked = _describe(self.request)
        if not self.refused:
            return NoCapacityError(
                f"No host can take {asked}: no host is registered",
                hint="register one, with playbooks/onboard_host.yml for instance",
                details={"hosts": {}},
            )
        words = "; ".join(
            f"{refusal.host}: " + ", ".join(reason.message for reason in refusal.reasons) for refusal in self.refused
        )
        return NoCapacityError(
            f"No host can take {asked}: {words}",
            hint=self._hint(),
            details={
                "hosts": {refusal.host: refusal.to_mapping()["reasons"] for refusal in self.refused},
                "remedies": [remedy.to_mapping() for remedy in self.remedies],
            },
        )

    def _hint(self) -> str:
        wanted = self.request.host
        if wanted is not None and wanted not in {refusal.host for refusal in self.refused}:
            return f"there is no host {wanted}; there are " + ", ".join(refusal.host for refusal in self.refused)
        if self.remedies:
            return "it would fit: " + "; or ".join(f"{one.text} (on {one.host})" for one in self.remedies)
        return "ask for less, or make room: uncordon or add a host"


def _request_mapping(request: Request) -> dict[str, Any]:
    return {
        "cpu": request.cpu,
        "ram_mib": request.ram_mib,
        "disk_bytes": request.disk_bytes,
        "host": request.host,
        "labels": _plain(request.labels),
        "exclude": sorted(request.exclude),
        **({"numa": request.numa} if request.numa else {}),
    }


def _plain(labels: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(labels.items()))


def _describe(request: Request) -> str:
    text = f"{format_cpu(request.cpu)} virtual CPU{'' if request.cpu == 1 else 's'} and {format_mib(request.ram_mib)}"
    return f"{text}, {format_mib(-(-request.disk_bytes // MIB))} of disk" if request.disk_bytes else text
