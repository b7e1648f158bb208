# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which rules count, and how much."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.units import plain_number
from .filters import FILTERS
from .findings import Misnamed, is_number
from .limits import NEVER, Limits
from .priority import Precedence
from .scorers import SCORERS

# What tells one weight from another is their ratio; beyond this it is a slip of the pen.
WEIGHT_MAX: Final = 1_000_000
_VERSION_LENGTH: Final = 12

# These take room from everybody, so a policy has them where it says so alone.
_BY_CHOICE: Final = frozenset({"n_plus_one"})
USUAL_FILTERS: Final = tuple(name for name in FILTERS if name not in _BY_CHOICE)


@dataclass(frozen=True)
class Policy:
    """A named choice of rules.

    :param name: what a decision remembers it by.
    :param filters: names of hard rules, in the order in which refusals are listed.
    :param weights: for each scorer's name its weight, above 0.
    :param limits: figures for hosts that state none.
    :param turn_at: from which share of the fleet's virtual CPUs or memory promised (the larger) ``weights_full`` count
        instead; above 1 for never.
    :param preemption: whose place a request may take; None for nobody's.
    :param priority_classes: priorities by name, for who asks for one by its name.
    :param projects: for some projects a policy of their own, whose filters, weights and preemption count for their
        VMs; its limits are this one's, since hosts are shared.
    :raises InputError: naming each rule that does not exist and each weight that is no weight.
    """

    name: str
    filters: tuple[str, ...] = USUAL_FILTERS
    weights: Mapping[str, float] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    turn_at: float = 2.0
    weights_full: Mapping[str, float] = field(default_factory=dict)
    preemption: Precedence | None = None
    projects: Mapping[str, Policy] = field(default_factory=dict)
    priority_classes: Mapping[str, int] = field(default_factory=dict)

    def of(self, project: str) -> Policy:
        """The policy whose filters, weights and preemption count for a project's VMs."""
        return self.projects.get(project, self)

    def asks_for(self, rule: str) -> bool:
        """Whether a filter counts for the VMs of any project."""
        return any(rule in one.filters for one in (self, *self.projects.values()))

    @property
    def turns(self) -> bool:
        """Whether ``weights_full`` ever count."""
        return self.turn_at <= 1

    def weights_at(self, fill: float) -> Mapping[str, float]:
        """The weights that count while that share of the fleet is promised."""
        # More than all may be promised, after an overcommit was lowered; that turns no policy that never turns.
        return self.weights_full if min(fill, 1.0) >= self.turn_at else self.weights

    def to_mapping(self) -> dict[str, Any]:
        """The whole policy, as a policy file would say it without ``extends``."""
        projects = {name: self.projects[name].rules_mapping() for name in sorted(self.projects)}
        groups = [group.to_mapping() for group in self.limits.groups]
        return {
            "name": self.name,
            **self.rules_mapping(),
            "limits": self.limits.to_mapping(),
            **({"priority_classes": dict(sorted(self.priority_classes.items()))} if self.priority_classes else {}),
            **({"projects": projects} if projects else {}),
            **({"host_groups": groups} if groups else {}),
        }

    def rules_mapping(self) -> dict[str, Any]:
        """Which rules count and how much, as a policy file says it of all VMs or of a project's."""
        full = {"at": plain_number(self.turn_at), "weights": _plain_weights(self.weights_full)}
        return {
            "filters": list(self.filters),
            "weights": _plain_weights(self.weights),
            "full": full if self.turn_at <= 1 else NEVER,
            "preemption": NEVER if self.preemption is None else self.preemption.to_mapping(),
        }

    @cached_property
    def version(self) -> str:
        """A digest of what the policy says, however it was written: 12 hexadecimal digits."""
        text = json.dumps(self.to_mapping(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_VERSION_LENGTH]

    def __post_init__(self) -> None:
        problems = [
            *wrong_filters("filters", self.filters),
            *wrong_weights("weights", self.weights),
            *wrong_weights("weights_full", self.weights_full),
        ]
        if problems:
            raise InputError(problems)


def wrong_filters(field_name: str, names: Iterable[object]) -> Iterator[Problem]:
    """What is wrong with a list of filters: those that do not exist, and those named twice."""
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        here = f"{field_name}.{index}"
        if not isinstance(name, str) or name not in FILTERS:
            yield Problem(here, f"{name!r} is not a filter", "one of " + ", ".join(FILTERS))
        elif name in first:
            yield Problem(here, f"{name} is named twice, as {field_name}.{first[name]} and as {here}", "each once")
        else:
            first[name] = index


def wrong_weights(field_name: str, weights: Mapping[str, object]) -> Iterator[Problem]:
    """What is wrong with a table of weights: scorers that do not exist, and weights that are none."""
    for name, weight in weights.items():
        if name not in SCORERS:
            yield Misnamed(f"{field_name}.{name}", f"{name!r} is not a scorer", "one of " + ", ".join(SCORERS))
        elif not is_number(weight) or not 0 < weight <= WEIGHT_MAX:
            allowed = f"a number above 0, up to {WEIGHT_MAX}; leave out a scorer that is not to count"
            yield Problem(f"{field_name}.{name}", f"{weight!r} is not a weight", allowed)


def _plain_weights(weights: Mapping[str, float]) -> dict[str, int | float]:
    return {name: plain_number(weight) for name, weight in weights.items()}


# Whom a VM would rather be with or without decides where it has such a wish.
_WISHES: Final = {"soft_affinity": 2.0}

# Least loaded: what is promised counts most, what is measured breaks the near ties. Rather not where failures were.
_SPREADING: Final = {"free_cpu": 1.0, "free_memory": 1.0, "load": 0.5, "stability": 0.5, **_WISHES}
# Fewest slots lost decides; among hosts that lose as few, the fuller one.
_PACKING: Final = {"fragmentation": 1.0, "pack": 0.001, **_WISHES}

# Least loaded while there is room. To go on spreading would leave a bit of room everywhere, and nowhere enough.
BALANCED: Final = Policy(
    "balanced", weights=_SPREADING, turn_at=0.3, weights_full={**_PACKING, "load": 0.01, "stability": 0.05}
)
SPREAD: Final = Policy("spread", weights=_SPREADING)
PACK: Final = Policy("pack", weights=_PACKING)
# Fewest watts: hosts that are on fill up, efficient ones first, and idle ones may sleep. Among alike, as in pack.
ENERGY: Final = Policy("energy", weights={"energy": 1.0, "fragmentation": 0.05, "pack": 0.001, **_WISHES})
# Nothing is promised twice, any one host may fail, and hosts that failed lately or are silent are left alone.
CRITICAL: Final = Policy(
    "critical",
    filters=tuple(FILTERS),
    weights={**_SPREADING, "load": 1.0, "stability": 2.0, "io_latency": 0.5, "staleness": 0.5},
    limits=Limits(cpu_overcommit=1.0, ram_reserved_mib=1024, metrics_fresh_seconds=900.0),
)

POLICIES: Final[dict[str, Policy]] = {policy.name: policy for policy in (BALANCED, SPREAD, PACK, ENERGY, CRITICAL)}


def policy_named(name: str) -> Policy:
    """The shipped policy of that name.

    :raises InputError: naming those that exist.
    """
    try:
        return POLICIES[name]
    except KeyError:
        known = "one of " + ", ".join(sorted(POLICIES))
        raise InputError([Problem("policy", f"{name!r} is not a policy", known)]) from None
