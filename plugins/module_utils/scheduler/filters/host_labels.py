# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that carry every label that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return bool(request.host_labels)


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.labels.taking(frozenset(ask.request.host_labels.items()))[rows]


def reason(ask: Ask, row: int) -> Reason:
    wanted = dict(sorted(ask.request.host_labels.items()))
    labels = ask.fleet.hosts[row].labels
    found = {key: labels.get(key) for key in wanted if labels.get(key) != wanted[key]}
    words = ", ".join(f"{key}={wanted[key]} wanted, it {_has(key, has)}" for key, has in found.items())
    return Reason("host_labels", words, {"wanted": wanted, "found": found})


def _has(key: str, value: str | None) -> str:
    return f"has no label {key}" if value is None else f"has {key}={value}"


FILTER = Filter("host_labels", passes, reason, concerns, standing=True)
