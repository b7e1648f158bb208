# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A policy written down, as policy files carry it; docs/policies.md says what each field means.

``{"name", "extends", "filters": [...], "weights": {...}, "full": {"at", "weights"} or "never", "preemption": {...} or
"never", "limits": {...}, "priority_classes": {...}, "projects": {NAME: {"extends", "filters", "weights", "full",
"preemption"}}, "host_groups": [{"labels", "limits"}]}``; see ``limits_document``, ``preemption_document`` and
``priority_class_document`` for their figures.
docs/schemas/policy.schema.json is its shape; what only the registries know, and what contradicts itself, is refused
here as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ..model.errors import InputError, Problem
from ..model.name import NAME_RULE, check_name
from .findings import Findings, Misnamed, is_number
from .limits import NEVER, Limits
from .limits_document import read_host_groups, read_limits
from .policy import BALANCED, POLICIES, Policy, wrong_filters, wrong_weights
from .preemption_document import read_preemption
from .priority import Precedence
from .priority_class_document import read_priority_classes

_RULES: Final = ("extends", "filters", "weights", "full", "preemption")
_FIELDS: Final = ("name", *_RULES, "limits", "priority_classes", "projects", "host_groups")
_FULL_FIELDS: Final = ("at", "weights")
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
    findings = Findings()
    policy = _read_whole(findings, document)
    if not findings.problems:
        _check_name_is_free(findings, policy)
    if findings.problems:
        raise InputError(findings.problems)
    return policy


def _read_whole(findings: Findings, document: Mapping[Any, Any]) -> Policy:
    findings.check_fields(document, _FIELDS, "")
    base = _base(findings, document)
    rules = _Rules(findings, document, "").read(base)
    limits = _limits(findings, document, base.limits)
    classes = document.get("priority_classes", base.priority_classes)
    whole = replace(
        rules,
        name=_name(findings, document),
        limits=limits,
        priority_classes=read_priority_classes(findings, classes),
    )
    return replace(whole, projects=_projects(findings, document, whole))


def _base(findings: Findings, document: Mapping[Any, Any]) -> Policy:
    if "extends" in document:
        return _extended(findings, document["extends"], "extends") or BALANCED
    if "weights" not in document:
        message = "nothing says which host is better"
        findings.refuse("weights", message, f"{_TABLE_OF_WEIGHTS}, or a policy to extend")
    return _NOTHING


def _extended(findings: Findings, name: Any, path: str) -> Policy | None:
    if isinstance(name, str) and name in POLICIES:
        return POLICIES[name]
    findings.refuse(path, f"{name!r} is not a shipped policy", "one of " + ", ".join(sorted(POLICIES)))
    return None


def _name(findings: Findings, document: Mapping[Any, Any]) -> str:
    name = document.get("name")
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    message = f"{name!r} is not a name" if "name" in document else "the policy has no name"
    allowed = "a small letter, then small letters, digits and dashes, 63 in all, such as night"
    findings.refuse("name", message, allowed)
    return ""


def _limits(findings: Findings, document: Mapping[Any, Any], base: Limits) -> Limits:
    limits = read_limits(findings, document["limits"], base) if "limits" in document else base
    if "host_groups" not in document:
        return limits
    return replace(limits, groups=read_host_groups(findings, document["host_groups"]))


def _projects(findings: Findings, document: Mapping[Any, Any], whole: Policy) -> Mapping[str, Policy]:
    if "projects" not in document:
        return whole.projects
    sections = document["projects"]
    if not isinstance(sections, Mapping):
        findings.refuse(
            "projects", f"{sections!r} is not a table", "projects with their rules: {shop: {extends: pack}}"
        )
        return {}
    return {str(name): _project(findings, name, section, whole) for name, section in sections.items()}


def _project(findings: Findings, name: Any, section: Any, whole: Policy) -> Policy:
    """A project's own rules; what its section does not say is what the file says for all."""
    path = f"projects.{name}"
    if check_name(name):
        findings.add([Misnamed(path, f"{name!r} is not a project's name", NAME_RULE)])
    if not isinstance(section, Mapping) or not section:
        allowed = "some of " + ", ".join(_RULES) + "; leave the project out where nothing is different"
        findings.refuse(path, f"{section!r} says nothing of its own", allowed)
        return whole
    findings.check_fields(section, _RULES, f"{path}.")
    base = _extended(findings, section["extends"], f"{path}.extends") if "extends" in section else None
    rules = _Rules(findings, section, f"{path}.").read(base or whole)
    return replace(rules, name=whole.name, limits=whole.limits, priority_classes=whole.priority_classes)


class _Rules:
    """Reads which rules count. One that is wrong reads as the base's, so that nothing is told twice.

    :param path: what stands before a field's name; empty for the whole.
    """

    def __init__(self, findings: Findings, section: Mapping[Any, Any], path: str) -> None:
        self._findings, self._section, self._path = findings, section, path

    def read(self, base: Policy) -> Policy:
        """The base with what is said instead."""
        turn_at, weights_full = self._full(base)
        return replace(
            base,
            filters=self._filters(base.filters),
            weights=self._weights(self._section, "weights", base.weights),
            turn_at=turn_at,
            weights_full=weights_full,
            preemption=self._preemption(base.preemption),
        )

    def _refuse(self, field: str, message: str, allowed: str) -> None:
        self._findings.refuse(f"{self._path}{field}", message, allowed)

    def _filters(self, base: tuple[str, ...]) -> tuple[str, ...]:
        if "filters" not in self._section:
            return base
        names = self._section["filters"]
        if not isinstance(names, list) or not names:
            message = "an empty list would let every host pass" if names == [] else f"{names!r} is not a list"
            self._refuse("filters", message, "a list of filters; leave it out for the usual ones")
            return base
        wrong = self._findings.add(wrong_filters(f"{self._path}filters", names))
        return base if wrong else tuple(names)

    def _weights(self, mapping: Mapping[Any, Any], field: str, base: Mapping[str, float]) -> Mapping[str, float]:
        key = field.rpartition(".")[2]
        if key not in mapping:
            return base
        weights = mapping[key]
        if not isinstance(weights, Mapping):
            self._refuse(field, f"{weights!r} is not a table", f"{_TABLE_OF_WEIGHTS}; {{}} where all hosts are alike")
            return base
        wrong = self._findings.add(wrong_weights(f"{self._path}{field}", weights))
        return base if wrong else {name: float(weight) for name, weight in weights.items()}

    def _full(self, base: Policy) -> tuple[float, Mapping[str, float]]:
        if "full" not in self._section:
            return base.turn_at, base.weights_full
        full = self._section["full"]
        if full == NEVER:
            return _NOTHING.turn_at, _NOTHING.weights_full
        if not isinstance(full, Mapping) or not full:
            self._refuse("full", f"{full!r} does not say when", f"{{at: 0.3, weights: {{pack: 1}}}}, or {NEVER}")
            return base.turn_at, base.weights_full
        self._findings.check_fields(full, _FULL_FIELDS, f"{self._path}full.")
        if base.turn_at > 1:
            self._check_full_is_whole(full)
        return self._share(full, base.turn_at), self._weights(full, "full.weights", base.weights_full)

    def _preemption(self, base: Precedence | None) -> Precedence | None:
        if "preemption" not in self._section:
            return base
        return read_preemption(self._findings, self._section["preemption"], f"{self._path}preemption", base)

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


def _check_name_is_free(findings: Findings, policy: Policy) -> None:
    """A shipped policy's name means that policy, wherever a decision shows it."""
    shipped = POLICIES.get(policy.name)
    if shipped is not None and shipped.version != policy.version:
        message = f"{policy.name} is the name of a shipped policy, and that one says something else"
        findings.refuse("name", message, f"a name of its own, such as my-{policy.name}")
