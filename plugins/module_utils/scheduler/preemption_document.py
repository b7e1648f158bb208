# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A policy's preemption written down: ``{"from", "victims_below", "at_most"}``, or ``never``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .findings import Findings
from .limits import NEVER
from .priority import AT_MOST, AT_MOST_MAX, PRIORITY_MAX, Precedence

_FIELDS: Final = ("from", "victims_below", "at_most")
_RANGES: Final = {
    "from": (-PRIORITY_MAX, PRIORITY_MAX),
    "victims_below": (-PRIORITY_MAX, PRIORITY_MAX),
    "at_most": (1, AT_MOST_MAX),
}


def read_preemption(findings: Findings, value: Any, path: str, base: Precedence | None) -> Precedence | None:
    """Read ``preemption``; what it does not say is the base's, where there is one.

    :param findings: takes what is wrong.
    :param path: the field's, such as ``projects.shop.preemption``.
    """
    if value == NEVER:
        return None
    if not isinstance(value, Mapping) or not value:
        allowed = f"{{from: 100, victims_below: 0}}, or {NEVER}"
        findings.refuse(path, f"{value!r} does not say whose place may be taken", allowed)
        return base
    before = len(findings.problems)
    findings.check_fields(value, _FIELDS, f"{path}.")
    figures = {"at_most": AT_MOST} if base is None else base.to_mapping()
    for field, (least, most) in _RANGES.items():
        figure = value.get(field, figures.get(field))
        if figure is None and field not in value:
            findings.refuse(f"{path}.{field}", f"the preemption says no {field}", f"a whole number, {least} to {most}")
        elif isinstance(figure, bool) or not isinstance(figure, int) or not least <= figure <= most:
            findings.refuse(f"{path}.{field}", f"{figure!r} is no such number", f"a whole number, {least} to {most}")
        else:
            figures[field] = figure
    if len(findings.problems) > before:
        return base
    if figures["victims_below"] > figures["from"]:
        message = f"{figures['victims_below']} is above {path}.from, {figures['from']}: VMs would take turns to leave"
        findings.refuse(f"{path}.victims_below", message, f"{figures['from']} or less")
        return base
    return Precedence(figures["from"], figures["victims_below"], figures["at_most"])
