# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Placement: filters refuse, scorers rank, the host's name breaks ties."""

from __future__ import annotations

from .decision import Candidate, Decision, Part, Refusal
from .filters import FILTERS
from .policy import BALANCED, Policy
from .request import Request
from .scorers import SCORERS
from .snapshot import HostView, Snapshot


def place(snapshot: Snapshot, request: Request, policy: Policy = BALANCED, *, now: float) -> Decision:
    """Choose a host. Pure: the same four arguments give the same decision.

    :param now: Unix seconds, against which the age of measurements is told.
    :returns: a decision in which every host of the snapshot appears once, accepted or refused. ``host`` is None when
        all refuse; nothing is raised.
    """
    accepted: list[Candidate] = []
    refused: list[Refusal] = []
    for host in snapshot.hosts:
        refusal = _refuse(host, request, policy)
        if refusal is None:
            accepted.append(_rank(host, request, policy, now))
        else:
            refused.append(refusal)
    accepted.sort(key=lambda candidate: (-candidate.score, candidate.host))
    return Decision(
        request=request,
        host=accepted[0].host if accepted else None,
        accepted=tuple(accepted),
        refused=tuple(refused),
        policy=policy.name,
        at=now,
    )


def _refuse(host: HostView, request: Request, policy: Policy) -> Refusal | None:
    answers = (FILTERS[name](host, request, policy.limits) for name in policy.filters)
    reasons = tuple(reason for reason in answers if reason is not None)
    return Refusal(host.id, reasons) if reasons else None


def _rank(host: HostView, request: Request, policy: Policy, now: float) -> Candidate:
    parts = tuple(
        Part(name, min(1.0, max(0.0, SCORERS[name](host, request, policy.limits, now))), weight)
        for name, weight in policy.weights.items()
    )
    total = sum(part.weight for part in parts)
    mean = sum(part.value * part.weight for part in parts) / total if total else 0.0
    # Rounded, so that a tie is a tie whatever the order in which floating point added it up.
    return Candidate(host.id, round(mean, 9), parts)
