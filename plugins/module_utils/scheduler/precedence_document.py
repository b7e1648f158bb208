# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A policy's word on preemption, written down: ``{"from", "victims_below", "at_most"}``, or ``never``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .findings import Findings
from .limits import NEVER
from .priority import AT_MOST, AT_MOST_MAX, PRIORITY_MAX, Precedence

FIELD: Final = "preemption"
_FIELDS: Final = ("from", "victims_below", "at_most")


def read_precedence(findings: Findings, said: Any, base: Precedence | None) -> Precedence | None:
    """Read it, field by field over what the extended policy says.

    :param base: the extended policy's; None where nobody's place is taken. It is the answer too where this is wrong.
    """
    if said == NEVER:
        return None
    if not isinstance(said, Mapping) or not said:
        allowed = f"{{from: 100, victims_below: 50}}, or {NEVER}"
        findings.refuse(FIELD, f"{said!r} does not say whose place is taken", allowed)
        return base
    findings.check_fields(said, _FIELDS, f"{FIELD}.")
    priorities = (-PRIORITY_MAX, PRIORITY_MAX)
    start = _whole(findings, said, "from", None if base is None else base.from_priority, priorities)
    below = _whole(findings, said, "victims_below", None if base is None else base.victims_below, priorities)
    most = _whole(findings, said, "at_most", AT_MOST if base is None else base.at_most, (1, AT_MOST_MAX))
    if start is None or below is None or most is None:
        return base
    if below > start:
        message = f"{below} is above {FIELD}.from, {start}: who takes a place would have to leave for another"
        findings.refuse(f"{FIELD}.victims_below", message, f"a whole number up to {start}")
        return base
    return Precedence(start, below, most)


def _whole(
    findings: Findings, said: Mapping[Any, Any], key: str, base: int | None, within: tuple[int, int]
) -> int | None:
    least, most = within
    value = said.get(key, base)
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    message = f"{value!r} is no such number" if key in said else "nothing says it"
    findings.refuse(f"{FIELD}.{key}", message, f"a whole number, {least} to {most}")
    return None
