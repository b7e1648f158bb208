# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How far a host may be filled where the host itself does not say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from ..model.units import plain_number

NEVER: Final = "never"
ANY: Final = "any"


@dataclass(frozen=True)
class HostGroup:
    """A policy's figures for hosts that carry some labels; None for what it does not say of them.

    :param labels: those that a host of the group carries, all of them.
    """

    FIGURES: ClassVar = (
        "cpu_overcommit", "ram_reserved_mib", "load_fresh_seconds", "metrics_fresh_seconds", "creates_at_once",
    )  # fmt: skip

    labels: Mapping[str, str]
    cpu_overcommit: float | None = None
    ram_reserved_mib: int | None = None
    load_fresh_seconds: float | None = None
    metrics_fresh_seconds: float | None = None
    creates_at_once: float | None = None

    def to_mapping(self) -> dict[str, Any]:
        """As a policy file says it."""
        return {"labels": dict(self.labels), "limits": _figures(self)}


@dataclass(frozen=True)
class Limits:
    """A policy's figures.

    :param cpu_overcommit: virtual CPUs for each hardware thread.
    :param ram_reserved_mib: memory that a host keeps for itself, in MiB.
    :param load_fresh_seconds: age up to which what was measured is believed.
    :param metrics_fresh_seconds: age beyond which a host that was measured takes no VMs; infinite for never.
    :param creates_at_once: how many VMs may be under creation on one host; infinite for any number.
    :param groups: figures for some hosts. Of several groups that a host is in, the first that says a figure counts.
    """

    cpu_overcommit: float = 4.0
    ram_reserved_mib: int = 256
    load_fresh_seconds: float = 120.0
    metrics_fresh_seconds: float = math.inf
    creates_at_once: float = math.inf
    groups: tuple[HostGroup, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        """The figures for all hosts, as a policy file says them."""
        return _figures(self)


def _figures(limits: Limits | HostGroup) -> dict[str, Any]:
    """What is said, by its name in a policy file."""
    reserved, metrics, creates = limits.ram_reserved_mib, limits.metrics_fresh_seconds, limits.creates_at_once
    figures = {
        "cpu_overcommit": _plain(limits.cpu_overcommit),
        "ram_reserved": None if reserved is None else f"{reserved}M",
        "load_fresh": _plain(limits.load_fresh_seconds),
        "metrics_fresh": NEVER if metrics == math.inf else _plain(metrics),
        "creates_at_once": ANY if creates == math.inf else _plain(creates),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def _plain(number: float | None) -> int | float | None:
    return None if number is None else plain_number(number)
