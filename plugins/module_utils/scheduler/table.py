# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A decision as a table for people."""

from __future__ import annotations

from .decision import Candidate, Decision, Refusal

_HEAD = ("HOST", "RESULT", "SCORE", "WHY")


def render(decision: Decision) -> str:
    """Plain text, one line a host: the chosen one, the others that would do, then those that refused.

    A host's further reasons stand on lines of their own below its first.
    """
    rows = [_HEAD]
    rows += [_accepted_row(candidate, decision.host) for candidate in decision.accepted]
    for refusal in decision.refused:
        rows += _refused_rows(refusal)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
        for row in rows
    )


def _accepted_row(candidate: Candidate, chosen: str | None) -> tuple[str, str, str, str]:
    why = ", ".join(f"{part.scorer} {part.value:.3f} x{part.weight:g}" for part in candidate.parts)
    return candidate.host, "chosen" if candidate.host == chosen else "accepted", f"{candidate.score:.3f}", why


def _refused_rows(refusal: Refusal) -> list[tuple[str, str, str, str]]:
    words = [f"{reason.rule}: {reason.message}" for reason in refusal.reasons]
    return [(refusal.host, "refused", "-", words[0]), *(("", "", "", word) for word in words[1:])]
