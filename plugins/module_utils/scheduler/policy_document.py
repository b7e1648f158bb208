# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A policy written down, as policy files carry it; docs/policies.md says what each field means.

``{"name", "extends", "filters": [...], "weights": {...}, "full": {"at", "weights"} or "never", "limits":
{"cpu_overcommit", "ram_reserved", "load_fresh", "metrics_fresh"}}``. docs/schemas/policy.schema.json is its shape; what only the
registries know, and what contradicts itself, is refused here as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.units import GIB, parse_mib
from .limits import Limits
from .policy import BALANCED, NEVER, POLICIES, Misnamed, Policy, is_number, wrong_filters, wrong_weights

_FIELDS: Final = ("name", "extends", "filters", "weights", "full", "limits")
_FULL_FIELDS: Final = ("at", "weights")
_LIMIT_FIELDS: Final = ("cpu_overcommit", "ram_reserved", "load_fresh", "metrics_fresh")
# Beyond these a figure is a slip of the pen; the schema has them too.
_OVERCOMMIT_MAX: Final = 1000
_RESERVED_MAX_MIB: Final = GIB  # 1 PiB
_FRESH_MAX: Final = 365 * 86400
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_TABLE_OF_WEIGHTS: Final = "a table of scorers such as {free_cpu: 1, load: 0.5}"

# What stands for the policy extended where there is none.
_NOTHING: Final = Policy("nothing")


def read_policy(document: object) -> Policy:
    """The policy that a mapping says, with what it leaves out taken from the one that it extends.

    :raises InputError: naming every field that is wrong at once. ``field`` is empty where it is the whole.
    """
    if not isinstance(document, Mapping):
        raise InputError([Problem("", "this is no policy", "fields, such as name, extends and weights")])
    reader = _Reader(document)
    policy = reader.policy()
    if policy is None:
        raise InputError(reader.problems)
    return policy


class _Reader:
    """Collects what is wrong. A field that is wrong reads as the extended policy's, so that nothing is told twice."""

    def __init__(self, document: Mapping[Any, Any]) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def policy(self) -> Policy | None:
        """The policy; None when there are problems."""
        self._check_fields(self.document, _FIELDS, "")
        base = self._base()
        name = self._name()
        filters = self._filters(base.filters)
        weights = self._weights(self.document, "weights", base.weights)
        turn_at, weights_full = self._full(base)
        limits = self._limits(base.limits)
        if self.problems:
            return None
        policy = Policy(name, filters, weights, limits, turn_at, weights_full)
        self._check_name_is_free(policy)
        return None if self.problems else policy

    def _refuse(self, field: str, message: str, allowed: str) -> None:
        self.problems.append(Problem(field, message, allowed))

    def _check_fields(self, mapping: Mapping[Any, Any], known: tuple[str, ...], path: str) -> None:
        for key in mapping:
            if key not in known:
                near = "".join(f"{name}, perhaps; " for name in get_close_matches(str(key), known, 1))
                allowed = f"{near}one of " + ", ".join(known)
                self.problems.append(Misnamed(f"{path}{key}", f"{key!r} is not a field", allowed))

    def _base(self) -> Policy:
        if "extends" not in self.document:
            if "weights" not in self.document:
                message = "nothing says which host is better"
                self._refuse("weights", message, f"{_TABLE_OF_WEIGHTS}, or a policy to extend")
            return _NOTHING
        name = self.document["extends"]
        if isinstance(name, str) and name in POLICIES:
            return POLICIES[name]
        self._refuse("extends", f"{name!r} is not a shipped policy", "one of " + ", ".join(sorted(POLICIES)))
        return BALANCED

    def _name(self) -> str:
        name = self.document.get("name")
        if isinstance(name, str) and _NAME.fullmatch(name):
            return name
        message = f"{name!r} is not a name" if "name" in self.document else "the policy has no name"
        self._refuse("name", message, "a small letter, then small letters, digits and dashes, 63 in all, such as night")
        return ""

    def _filters(self, base: tuple[str, ...]) -> tuple[str, ...]:
        if "filters" not in self.document:
            return base
        names = self.document["filters"]
        if not isinstance(names, list) or not names:
            message = "an empty list would let every host pass" if names == [] else f"{names!r} is not a list"
            self._refuse("filters", message, "a list of filters; leave it out for all of them")
            return base
        problems = list(wrong_filters("filters", names))
        self.problems += problems
        return base if problems else tuple(names)

    def _weights(self, mapping: Mapping[Any, Any], path: str, base: Mapping[str, float]) -> Mapping[str, float]:
        key = path.rpartition(".")[2]
        if key not in mapping:
            return base
        weights = mapping[key]
        if not isinstance(weights, Mapping):
            self._refuse(path, f"{weights!r} is not a table", f"{_TABLE_OF_WEIGHTS}; {{}} where all hosts are alike")
            return base
        problems = list(wrong_weights(path, weights))
        self.problems += problems
        return base if problems else {name: float(weight) for name, weight in weights.items()}

    def _full(self, base: Policy) -> tuple[float, Mapping[str, float]]:
        full = self.document.get("full")
        if "full" not in self.document:
            return base.turn_at, base.weights_full
        if full == NEVER:
            return _NOTHING.turn_at, _NOTHING.weights_full
        if not isinstance(full, Mapping) or not full:
            self._refuse("full", f"{full!r} does not say when", f"{{at: 0.3, weights: {{pack: 1}}}}, or {NEVER}")
            return base.turn_at, base.weights_full
        self._check_fields(full, _FULL_FIELDS, "full.")
        if base.turn_at > 1:
            self._check_full_is_whole(full)
        return self._share(full, base.turn_at), self._weights(full, "full.weights", base.weights_full)

    def _check_full_is_whole(self, full: Mapping[Any, Any]) -> None:
        """Nothing is extended that turns, so one half of ``full`` says nothing without the other."""
        if "weights" not in full:
            self._refuse("full.weights", "full.at says from when, but nothing says what counts then", _TABLE_OF_WEIGHTS)
        if "at" not in full:
            self._refuse("full.at", "full.weights says what counts, but nothing says from when", "a share such as 0.3")

    def _share(self, full: Mapping[Any, Any], base: float) -> float:
        share = full.get("at", base)
        if "at" not in full or (is_number(share) and 0 < share <= 1):
            return float(share)
        self._refuse("full.at", f"{share!r} is not a share of the fleet", "a number above 0, up to 1, such as 0.3")
        return base

    def _limits(self, base: Limits) -> Limits:
        limits = self.document.get("limits", {})
        if not isinstance(limits, Mapping):
            self._refuse("limits", f"{limits!r} is not a table", "some of " + ", ".join(_LIMIT_FIELDS))
            return base
        self._check_fields(limits, _LIMIT_FIELDS, "limits.")
        return Limits(
            self._number(limits, "cpu_overcommit", base.cpu_overcommit, _OVERCOMMIT_MAX),
            self._mib(limits, base.ram_reserved_mib),
            self._number(limits, "load_fresh", base.load_fresh_seconds, _FRESH_MAX),
            self._metrics(limits, base.metrics_fresh_seconds),
        )

    def _metrics(self, limits: Mapping[Any, Any], base: float) -> float:
        if limits.get("metrics_fresh") == NEVER:
            return math.inf
        return self._number(limits, "metrics_fresh", base, _FRESH_MAX) if "metrics_fresh" in limits else base

    def _number(self, limits: Mapping[Any, Any], key: str, base: float, largest: int) -> float:
        value = limits.get(key, base)
        if is_number(value) and 0 < value <= largest:
            return float(value)
        self._refuse(f"limits.{key}", f"{value!r} is no such number", f"a number above 0, up to {largest}")
        return base

    def _mib(self, limits: Mapping[Any, Any], base: int) -> int:
        value = limits.get("ram_reserved", base)
        try:
            mib = parse_mib(value, field="limits.ram_reserved")
        except InputError as error:
            self.problems += error.problems
            return base
        if mib > _RESERVED_MAX_MIB:
            self._refuse("limits.ram_reserved", f"{value!r} is more than a host has", "text such as 2G, up to 1P")
        return mib

    def _check_name_is_free(self, policy: Policy) -> None:
        """A shipped policy's name means that policy, wherever a decision shows it."""
        shipped = POLICIES.get(policy.name)
        if shipped is not None and shipped.version != policy.version:
            message = f"{policy.name} is the name of a shipped policy, and that one says something else"
            self._refuse("name", message, f"a name of its own, such as my-{policy.name}")
