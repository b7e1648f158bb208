# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with a policy that is being read, collected so that its author mends it in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeGuard

from ..model.errors import Problem

_LARGEST: Final = float("inf")


class Misnamed(Problem):
    """A problem with a field's name, not with its value."""


class Findings:
    """``problems`` has everything that was wrong so far."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, field: str, message: str, allowed: str) -> None:
        self.problems.append(Problem(field, message, allowed))

    def add(self, problems: Iterable[Problem]) -> bool:
        """Add problems; whether there were any."""
        before = len(self.problems)
        self.problems += problems
        return len(self.problems) > before

    def check_fields(self, mapping: Mapping[Any, Any], known: Iterable[str], path: str) -> None:
        """Refuse fields that mean nothing.

        :param path: what stands before a field's name, such as ``full.``; empty for the whole.
        """
        names = tuple(known)
        for key in mapping:
            if key not in names:
                near = "".join(f"{name}, perhaps; " for name in get_close_matches(str(key), names, 1))
                allowed = f"{near}one of " + ", ".join(names)
                self.problems.append(Misnamed(f"{path}{key}", f"{key!r} is not a field", allowed))


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether it is a finite number; yes and no are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -_LARGEST < value < _LARGEST
