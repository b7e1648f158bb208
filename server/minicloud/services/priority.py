"""Priorities: what a name of one means by the policy, and how high a project may ask. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from minicloud_core.model.errors import InputError, Problem
from minicloud_core.model.scheduling import PRIORITY_MAX, PRIORITY_MIN
from minicloud_core.model.vm import VmSpec

from minicloud.store.project import ProjectRow

FIELD: Final = "scheduling.priority"


def settled(spec: VmSpec, classes: Mapping[str, int], project: ProjectRow) -> VmSpec:
    """A spec with its priority as a number, one that its project may ask for.

    :param classes: the policy's, by name.
    :raises InputError: when the policy names no such class, or the number is above the project's.
    """
    asked = spec.scheduling.priority
    number = asked if isinstance(asked, int) else _number(asked, classes)
    most = project.priority_max
    if most is not None and number > most:
        called = "" if number == asked else f" ({asked})"
        message = f"{number}{called} is above what project {project.name} may ask for"
        raise InputError([Problem(FIELD, message, _up_to(most, classes))])
    return spec if number == asked else replace(spec, scheduling=replace(spec.scheduling, priority=number))


def _number(name: str, classes: Mapping[str, int]) -> int:
    if name in classes:
        return classes[name]
    numbers = f"a whole number from {PRIORITY_MIN} to {PRIORITY_MAX}"
    allowed = f"one of {_listed(classes)}, or {numbers}" if classes else f"{numbers}; the policy names no class"
    raise InputError([Problem(FIELD, f"the policy has no priority class {name}", allowed)])


def _up_to(most: int, classes: Mapping[str, int]) -> str:
    within = _listed({name: number for name, number in classes.items() if number <= most})
    return f"{most} or less, such as {within}" if within else f"{most} or less"


def _listed(classes: Mapping[str, int]) -> str:
    """Their names, the highest first."""
    return ", ".join(sorted(classes, key=lambda name: (-classes[name], name)))
