# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""One field of a document at a time: a value of the right kind, or a problem that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.name import check_labels
from ..model.units import MIB, parse_bytes, parse_mib

# Far above what there is, and far below where columns of numbers overflow.
CPU_MAX: Final = 1 << 20
SIZE_MAX: Final = 1 << 56
RATIO_MAX: Final = 1_000_000
NUMA_MAX: Final = 64
MOMENT_MAX: Final = 1e15


class FieldReader:
    """Collects what is wrong with fields; what could not be read is read as nothing of its kind.

    ``problems`` has everything that was wrong so far.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, field: str, message: str, allowed: str) -> None:
        self.problems.append(Problem(field, message, allowed))

    def mapping(self, value: Any, field: str) -> Mapping[str, Any] | None:
        if isinstance(value, Mapping):
            return value
        self.refuse(field, f"{value!r} is not a mapping", "fields with their values")
        return None

    def items(self, value: Any, field: str) -> list[Any]:
        """A list; nothing is an empty one."""
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self.refuse(field, f"{value!r} is not a list", "a list, or nothing")
        return []

    def check_fields(self, mapping: Mapping[str, Any], known: Sequence[str], field: str) -> None:
        """Refuse fields that mean nothing, so that a slip of the pen is not passed over."""
        for key in mapping:
            if key not in known:
                near = "".join(f"{name}, perhaps; " for name in get_close_matches(str(key), known, 1))
                path = f"{field}.{key}" if field else str(key)
                self.refuse(path, "unknown field", f"{near}one of " + ", ".join(known))

    def text(self, value: Any, field: str, what: str) -> str:
        if isinstance(value, str) and value and value.isprintable():
            return value
        self.refuse(field, f"{value!r} is not {what}", "text such as node1")
        return ""

    def choice(self, value: Any, field: str, allowed: Iterable[str], default: str) -> str:
        names = sorted(allowed)
        state = default if value is None else value
        if isinstance(state, str) and state in names:
            return state
        self.refuse(field, f"{state!r} is not a state", ", ".join(names))
        return default

    def flag(self, value: Any, field: str) -> bool:
        if value is None or isinstance(value, bool):
            return bool(value)
        self.refuse(field, f"{value!r} is neither true nor false", "true or false")
        return False

    def labels(self, value: Any, field: str) -> Mapping[str, str]:
        problems = check_labels({} if value is None else value, field=field)
        self.problems += problems
        return {} if problems or value is None else dict(value)

    def threads(self, value: Any, field: str) -> int:
        """Hardware threads: whole."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= CPU_MAX:
            self.refuse(field, f"{value!r} is not a number of CPUs", "a whole number, 0 or more")
            return 0
        return value

    def cpus(self, value: Any, field: str) -> float:
        """Virtual CPUs: perhaps a fraction."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= CPU_MAX:
            self.refuse(field, f"{value!r} is not a number of CPUs", "a number, 0 or more, such as 2 or 0.5")
            return 0
        return value

    def nodes(self, value: Any, field: str) -> int:
        """How many NUMA nodes; 0 for whichever."""
        if value is None:
            return 0
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NUMA_MAX:
            self.refuse(field, f"{value!r} is not a number of NUMA nodes", f"a whole number, 0 to {NUMA_MAX}")
            return 0
        return value

    def whole(self, value: Any, field: str, least: int, most: int, *, missing: int | None = 0) -> int:
        """A whole number between two.

        :param missing: what nothing counts as; None where there must be something.
        """
        if value is None and missing is not None:
            return missing
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(field, f"{value!r} is no such number", f"a whole number, {least} to {most}")
            return least
        return value

    def figure(self, value: Any, field: str, most: float) -> float:
        """A number from 0 to the most that there could be, perhaps a fraction."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            self.refuse(field, f"{value!r} is no such number", f"a number, 0 to {most:g}")
            return 0.0
        return float(value)

    def moment(self, value: Any, field: str) -> float:
        """A time in seconds."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= MOMENT_MAX:
            self.refuse(field, f"{value!r} is not a time", "Unix seconds, such as 1700000000")
            return 0.0
        return float(value)

    def names(self, value: Any, field: str, what: str) -> frozenset[str]:
        """A list of names, in no order."""
        items = self.items(value, field)
        return frozenset(self.text(item, f"{field}.{index}", what) for index, item in enumerate(items))

    def mib(self, value: Any, field: str) -> int:
        """A size in MiB."""
        return self._size(parse_mib, value, field, SIZE_MAX // MIB)

    def bytes(self, value: Any, field: str) -> int:
        """A size in bytes; nothing is none."""
        return 0 if value is None else self._size(_parse_bytes, value, field, SIZE_MAX)

    def _size(self, parse: Callable[..., int], value: Any, field: str, most: int) -> int:
        try:
            size = parse(value, field=field)
        except InputError as error:
            self.problems += error.problems
            return 0
        if size > most:
            self.refuse(field, f"{value!r} is beyond all sizes", f"up to {SIZE_MAX >> 50}P")
            return 0
        return size

    def share(self, value: Any, field: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            self.refuse(field, f"{value!r} is not a share", "a number from 0 to 1")
            return None
        return float(value)

    def ratio(self, value: Any, field: str) -> float | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= RATIO_MAX:
            self.refuse(field, f"{value!r} is not a ratio", f"a number above 0, up to {RATIO_MAX}")
            return None
        return float(value)


def _parse_bytes(value: Any, *, field: str) -> int:
    return parse_bytes(value, field=field, unit=MIB)
