# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A policy's priority classes written down: ``{"critical": 500, "batch": -100}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from ..model.scheduling import PRIORITY_CLASS_PATTERN, PRIORITY_MAX, PRIORITY_MIN
from .findings import Findings, Misnamed

_NAME: Final = re.compile(PRIORITY_CLASS_PATTERN)
_NAME_RULE: Final = "small letters, digits and dashes, a letter first, such as critical"


def read_priority_classes(findings: Findings, value: Any) -> Mapping[str, int]:
    """Read ``priority_classes``; the table is taken whole.

    :param findings: takes what is wrong.
    """
    if not isinstance(value, Mapping):
        allowed = "priorities by name: {critical: 500, batch: -100}"
        findings.refuse("priority_classes", f"{value!r} is not a table", allowed)
        return {}
    return {str(name): _priority(findings, name, value[name]) for name in value}


def _priority(findings: Findings, name: Any, priority: Any) -> int:
    path = f"priority_classes.{name}"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        findings.add([Misnamed(path, f"{name!r} is not a class's name", _NAME_RULE)])
    elif isinstance(priority, bool) or not isinstance(priority, int) or not PRIORITY_MIN <= priority <= PRIORITY_MAX:
        allowed = f"a whole number from {PRIORITY_MIN} to {PRIORITY_MAX}"
        findings.refuse(path, f"{priority!r} is not a priority", allowed)
    else:
        return priority
    return 0
