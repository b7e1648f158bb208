# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A policy's figures written down: ``limits`` for all hosts, and those of its ``host_groups``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from ..model.errors import InputError
from ..model.name import check_labels
from ..model.units import GIB, parse_mib
from .findings import Findings, is_number
from .limits import ANY, NEVER, HostGroup, Limits

_GROUP_FIELDS: Final = ("labels", "limits")
# Beyond these a figure is a slip of the pen; the schema has them too.
_OVERCOMMIT_MAX: Final = 1000
_RESERVED_MAX_MIB: Final = GIB  # 1 PiB
_FRESH_MAX: Final = 365 * 86400
_CREATES_MAX: Final = 1000


def read_limits(findings: Findings, value: Any, base: Limits) -> Limits:
    """Read ``limits``; what it does not say is the base's.

    :param findings: takes what is wrong.
    """
    return replace(base, **_figures(findings, value, "limits"))


def read_host_groups(findings: Findings, value: Any) -> tuple[HostGroup, ...]:
    """Read ``host_groups``.

    :param findings: takes what is wrong.
    """
    if not isinstance(value, list):
        allowed = "a list such as [{labels: {tier: gold}, limits: {cpu_overcommit: 1}}]"
        findings.refuse("host_groups", f"{value!r} is not a list", allowed)
        return ()
    groups = [_read_group(findings, group, f"host_groups.{index}") for index, group in enumerate(value)]
    first: dict[frozenset[tuple[str, str]], int] = {}
    for index, group in enumerate(groups):
        known = first.setdefault(frozenset(group.labels.items()), index)
        if group.labels and known != index:
            message = f"the same hosts as host_groups.{known}, which would count alone"
            findings.refuse(f"host_groups.{index}.labels", message, "each group once")
    return tuple(groups)


def _read_group(findings: Findings, value: Any, path: str) -> HostGroup:
    if not isinstance(value, Mapping):
        allowed = "a group such as {labels: {tier: gold}, limits: {cpu_overcommit: 1}}"
        findings.refuse(path, f"{value!r} is not a group of hosts", allowed)
        return HostGroup({})
    findings.check_fields(value, _GROUP_FIELDS, f"{path}.")
    for field in _GROUP_FIELDS:
        if not value.get(field, True):
            findings.refuse(f"{path}.{field}", f"{value[field]!r} says nothing", _SAYS[field])
        elif field not in value:
            findings.refuse(f"{path}.{field}", f"a group without {field} says nothing", _SAYS[field])
    labels = value.get("labels") or {}
    unfit = findings.add(check_labels(labels, field=f"{path}.labels"))
    return HostGroup({} if unfit else dict(labels), **_figures(findings, value.get("limits") or {}, f"{path}.limits"))


_SAYS: Final = {
    "labels": "those that its hosts carry, such as {tier: gold}",
    "limits": "figures for them, such as {cpu_overcommit: 1}",
}


def _figures(findings: Findings, value: Any, path: str) -> dict[str, Any]:
    """The figures that are said and right, by their names in ``Limits``."""
    if not isinstance(value, Mapping):
        findings.refuse(path, f"{value!r} is not a table", "some of " + ", ".join(_FIGURES))
        return {}
    findings.check_fields(value, _FIGURES, f"{path}.")
    read = {
        name: reader(findings, value[field], f"{path}.{field}")
        for field, (name, reader) in _FIGURES.items()
        if field in value
    }
    return {name: figure for name, figure in read.items() if figure is not None}


def _read_overcommit(findings: Findings, value: Any, path: str) -> float | None:
    return _read_number(findings, value, path, _OVERCOMMIT_MAX)


def _read_seconds(findings: Findings, value: Any, path: str) -> float | None:
    return _read_number(findings, value, path, _FRESH_MAX)


def _read_seconds_or_never(findings: Findings, value: Any, path: str) -> float | None:
    return math.inf if value == NEVER else _read_seconds(findings, value, path)


def _read_count_or_any(findings: Findings, value: Any, path: str) -> float | None:
    if value == ANY:
        return math.inf
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _CREATES_MAX:
        return float(value)
    findings.refuse(path, f"{value!r} is no such number", f"a whole number, 1 to {_CREATES_MAX}, or {ANY}")
    return None


def _read_number(findings: Findings, value: Any, path: str, largest: int) -> float | None:
    if is_number(value) and 0 < value <= largest:
        return float(value)
    findings.refuse(path, f"{value!r} is no such number", f"a number above 0, up to {largest}")
    return None


def _read_mib(findings: Findings, value: Any, path: str) -> int | None:
    try:
        mib = parse_mib(value, field=path)
    except InputError as error:
        findings.add(error.problems)
        return None
    if mib > _RESERVED_MAX_MIB:
        findings.refuse(path, f"{value!r} is more than a host has", "text such as 2G, up to 1P")
    return mib


# By their name in a file: that in ``Limits``, and what reads it.
_FIGURES: Final[dict[str, tuple[str, Callable[[Findings, Any, str], Any]]]] = {
    "cpu_overcommit": ("cpu_overcommit", _read_overcommit),
    "ram_reserved": ("ram_reserved_mib", _read_mib),
    "load_fresh": ("load_fresh_seconds", _read_seconds),
    "metrics_fresh": ("metrics_fresh_seconds", _read_seconds_or_never),
    "creates_at_once": ("creates_at_once", _read_count_or_any),
}
