# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Names that people give."""

from __future__ import annotations

import re
from typing import Final

from .errors import Problem

# Without ends, so that larger forms are made of them.
# A DNS label (RFC 1123): it becomes the guest's host name, a file name and an inventory name, so nothing else is safe.
NAME_FORM: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
LABEL_KEY_FORM: Final = r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?"
LABEL_VALUE_FORM: Final = r"[A-Za-z0-9._-]{0,63}"

_NAME = re.compile(NAME_FORM)
_LABEL_KEY = re.compile(LABEL_KEY_FORM)
_LABEL_VALUE = re.compile(LABEL_VALUE_FORM)
NAME_RULE = "1 to 63 lower-case letters, digits and hyphens, a letter or digit at each end"


def check_name(value: object, *, field: str = "name") -> list[Problem]:
    """Problems with a name; an empty list when it is good."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return []
    return [Problem(field, f"{value!r} is not a name", NAME_RULE)]


def check_labels(value: object, *, field: str = "labels") -> list[Problem]:
    """Problems with a mapping of labels; an empty list when it is good."""
    if not isinstance(value, dict):
        return [Problem(field, "labels are a mapping of text to text", '{"tier": "web"}')]
    problems = []
    if len(value) > 64:
        problems.append(Problem(field, f"{len(value)} labels are too many", "at most 64"))
    for key, text in value.items():
        if not isinstance(key, str) or not _LABEL_KEY.fullmatch(key):
            problems.append(Problem(f"{field}.{key}", "not a label key", "up to 63 letters, digits, . _ / -"))
        elif not isinstance(text, str) or not _LABEL_VALUE.fullmatch(text):
            problems.append(
                Problem(f"{field}.{key}", f"{text!r} is not a label value", "up to 63 letters, digits, . _ -")
            )
    return problems
