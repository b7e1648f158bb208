"""The arguments of verbs, read with one rule. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from minicloud_core.model.errors import InputError, Problem
from minicloud_core.model.name import check_name
from minicloud_core.model.vm import VERBS

LONGEST_SECONDS: Final = 3600

Reader = Callable[[Any, str], list[Problem]]


def read(verb: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What was given to a verb, without what is None.

    :raises InputError: naming every argument that the verb does not take or that is wrong; or the verb.
    """
    if verb not in VERBS:
        raise InputError([Problem("verb", f"{verb!r} is not a verb", "one of " + ", ".join(VERBS))])
    readers = _READERS.get(verb, {})
    present = {key: value for key, value in arguments.items() if value is not None}
    problems: list[Problem] = []
    for key, value in present.items():
        if key in readers:
            problems += readers[key](value, key)
        else:
            allowed = "one of " + ", ".join(readers) if readers else f"{verb} takes no arguments"
            problems.append(Problem(key, "unknown field", allowed))
    if problems:
        raise InputError(problems)
    return present


def _name(value: Any, key: str) -> list[Problem]:
    return check_name(value, field=key)


def _flag(value: Any, key: str) -> list[Problem]:
    return [] if isinstance(value, bool) else [Problem(key, f"{value!r} is neither true nor false", "true or false")]


def _seconds(value: Any, key: str) -> list[Problem]:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LONGEST_SECONDS:
        return []
    return [Problem(key, f"{value!r} is not a number of seconds", f"0 to {LONGEST_SECONDS}")]


def _bandwidth(value: Any, key: str) -> list[Problem]:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000:
        return []
    return [Problem(key, f"{value!r} is not a bandwidth", "whole MiB a second, 0 for no limit")]


_READERS: Final[dict[str, dict[str, Reader]]] = {
    "migrate": {
        "host": _name,
        "live": _flag,
        "bandwidth_mib": _bandwidth,
        "timeout": _seconds,
        "copy_storage": _flag,
        "tls": _flag,
    },
    "stop": {"force": _flag, "graceful": _seconds},
}
