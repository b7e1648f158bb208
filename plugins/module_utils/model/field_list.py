# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Lists in what callers write."""

from __future__ import annotations

from typing import Any

from .errors import InputError, Problem


def read_list(value: Any, key: str, most: int) -> list[Any]:
    """A field's value, which is a list.

    :param most: how many items it may have.
    :raises InputError: when it is no list, or too long.
    """
    if not isinstance(value, list):
        raise InputError([Problem(key, "a list is needed", f"a list of at most {most}")])
    if len(value) > most:
        raise InputError([Problem(key, f"{len(value)} are too many", f"at most {most}")])
    return value
