# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A decision as a table for people."""

from __future__ import annotations

from collections.abc import Iterator

from .decision import Candidate, Decision, Refusal, Told

_HEAD = ("HOST", "RESULT", "SCORE", "WHY")


def render(decision: Decision) -> str:
    """Plain text, one line a host: the chosen one, the others that would do, then those that refused.

    A host's further reasons stand on lines of their own below its first. What is left out of many hosts is counted.
    """
    told = decision.told
    rows = [_HEAD]
    rows += [_accepted_row(candidate, decision.host) for candidate in told.accepted]
    for refusal in told.refused:
        rows += _refused_rows(refusal)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, *_left_out(told), *_notes(decision)])


def _left_out(told: Told) -> Iterator[str]:
    if told.accepts > len(told.accepted):
        yield f"and {told.accepts - len(told.accepted):,} more that would do"
    if told.refuses > len(told.refused):
        rules = ", ".join(f"{obstacle.rule} {obstacle.hosts:,}" for obstacle in told.obstacles)
        yield f"and {told.refuses - len(told.refused):,} more that refused; in all by rule: {rules}"


def _notes(decision: Decision) -> Iterator[str]:
    if decision.preempts:
        yield "takes the place of " + ", ".join(f"{one.vm} (priority {one.priority})" for one in decision.preempts)
    for remedy in decision.told.remedies:
        yield f"it would fit: {remedy.text} (on {remedy.host})"


def _accepted_row(candidate: Candidate, chosen: str | None) -> tuple[str, str, str, str]:
    why = ", ".join(f"{part.scorer} {part.value:.3f} x{part.weight:g}" for part in candidate.parts)
    return candidate.host, "chosen" if candidate.host == chosen else "accepted", f"{candidate.score:.3f}", why


def _refused_rows(refusal: Refusal) -> list[tuple[str, str, str, str]]:
    words = [f"{reason.rule}: {reason.message}" for reason in refusal.reasons]
    return [(refusal.host, "refused", "-", words[0]), *(("", "", "", word) for word in words[1:])]
