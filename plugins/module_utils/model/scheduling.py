# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a caller may ask of a VM's place: on which hosts, near whom, away from whom, and before whom."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .errors import InputError, Problem
from .field_list import read_list
from .machine import check_machine
from .name import LABEL_KEY_FORM, check_labels
from .term import VM, check_group, check_term, split_term

TERMS_MAX: Final = 32
SPREADS_MAX: Final = 4
FEATURES_MAX: Final = 64
AT_MOST_MAX: Final = 10_000
PRIORITY_MIN: Final = -1000
PRIORITY_MAX: Final = 1000
# A class that the service's policy gives a priority.
PRIORITY_CLASS_PATTERN: Final = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
BANDWIDTH_MAX_MBPS: Final = 10_000_000
# As many as the scheduler deals CPUs out over without a rest.
NUMA_MAX: Final = 8

# As documents and the API's description carry them.
KEY_PATTERN: Final = f"^{LABEL_KEY_FORM}$"
FEATURE_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

_KEY = re.compile(KEY_PATTERN)
_FEATURE = re.compile(FEATURE_PATTERN)
_PRIORITY_CLASS = re.compile(PRIORITY_CLASS_PATTERN)

# Lists of terms, hard ones first.
TERM_FIELDS: Final = ("affinity", "anti_affinity", "prefer_with", "prefer_apart")


# What is not only of the VM's place, but shapes the VM itself.
SHAPING_FIELDS: Final = ("pinned", "machine", "numa", "huge_pages")


@dataclass(frozen=True)
class SpreadSpec:
    """At most so many VMs of a kind in one failure domain.

    :param by: a label of hosts, such as ``rack``: hosts with one value of it are one domain. ``host``: each for itself.
    :param label: counted are VMs that carry the same value of this label; None for those of the same group.
    """

    by: str
    at_most: int = 1
    label: str | None = None

    def to_mapping(self) -> dict[str, Any]:
        mapping = {"by": self.by, "at_most": self.at_most}
        return mapping if self.label is None else {**mapping, "label": self.label}


@dataclass(frozen=True)
class SchedulingSpec:
    """What is asked of a VM's place. Nothing is, to begin with.

    Terms are ``vm:NAME`` or ``vm:ID``, ``group:NAME``, or ``KEY=VALUE``, a label of VMs.

    :param host_labels: labels that the host must have, all of them.
    :param group: the group that the VM belongs to, within its project.
    :param affinity: on the host of one of those; ``anti_affinity``: on none of theirs.
    :param prefer_with: rather there; ``prefer_apart``: rather not.
    :param spread: how many of its kind one failure may take.
    :param priority: VMs of a lower one may have to make room. A number, or the name of a class that a policy gives one.
    :param pinned: each of its virtual CPUs has a thread of the host for itself, and no planner moves it.
    :param cpu_features: features that the host's CPU must have, such as ``avx2``.
    :param bandwidth_mbps: network bandwidth that is kept for it, in Mbit/s.
    :param machine: the machine type that it has; None for the host's best.
    :param numa: over how many of the host's NUMA nodes it lies, in equal parts, which the guest sees as its own; 0 when
        it does not care.
    :param huge_pages: whether its memory comes from the host's huge pages.
    """

    host_labels: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    affinity: tuple[str, ...] = ()
    anti_affinity: tuple[str, ...] = ()
    prefer_with: tuple[str, ...] = ()
    prefer_apart: tuple[str, ...] = ()
    spread: tuple[SpreadSpec, ...] = ()
    priority: int | str = 0
    pinned: bool = False
    cpu_features: tuple[str, ...] = ()
    bandwidth_mbps: int = 0
    machine: str | None = None
    numa: int = 0
    huge_pages: bool = False

    def to_mapping(self) -> dict[str, Any]:
        """What is asked, as JSON: what is not said is left out, so that nothing asked is ``{}``."""
        mapping: dict[str, Any] = {
            "host_labels": dict(self.host_labels),
            "group": self.group,
            **{name: list(getattr(self, name)) for name in TERM_FIELDS},
            "spread": [spread.to_mapping() for spread in self.spread],
            "priority": self.priority,
            "pinned": self.pinned,
            "cpu_features": list(self.cpu_features),
            "bandwidth_mbps": self.bandwidth_mbps,
            "machine": self.machine,
            "numa": self.numa,
            "huge_pages": self.huge_pages,
        }
        return {key: value for key, value in mapping.items() if value}

    @classmethod
    def from_stored(cls, mapping: Mapping[str, Any]) -> SchedulingSpec:
        """The inverse of :meth:`to_mapping`; trusts its input."""
        said: dict[str, Any] = dict(mapping)
        said |= {name: tuple(said[name]) for name in (*TERM_FIELDS, "cpu_features") if name in said}
        if "spread" in said:
            said["spread"] = tuple(SpreadSpec(**spread) for spread in said["spread"])
        return cls(**said)

    def vm_terms(self) -> Iterator[tuple[str, str]]:
        """VMs that it names: the field's path with the name or id."""
        for name in TERM_FIELDS:
            for index, term in enumerate(getattr(self, name)):
                whom, _by = split_term(term)
                if whom.startswith(VM):
                    yield f"{name}.{index}", whom.removeprefix(VM)


_FIELDS: Final = (
    "host_labels", "group", *TERM_FIELDS, "spread", "priority", "pinned", "cpu_features", "bandwidth_mbps", "machine",
    "numa", "huge_pages",
)  # fmt: skip


_SPREAD_FIELDS: Final = ("by", "at_most", "label")


def read_scheduling(value: Any, key: str = "scheduling") -> SchedulingSpec:
    """Read what a caller wrote, naming every field that is wrong at once.

    :param key: the field's path, for problems.
    :raises InputError: with one problem for each wrong field; unknown fields are wrong. What contradicts itself is
        refused where a request is made of it.
    """
    if not isinstance(value, Mapping):
        raise InputError([Problem(key, "a mapping is needed", '{"anti_affinity": ["group:db"]}')])
    reader = _Reader(value, key)
    reader.reject_unknown()
    spec = SchedulingSpec(
        host_labels=reader.read("host_labels", _read_labels, {}),
        group=reader.read("group", _read_group, None),
        affinity=reader.read("affinity", _read_terms, ()),
        anti_affinity=reader.read("anti_affinity", _read_terms, ()),
        prefer_with=reader.read("prefer_with", _read_terms, ()),
        prefer_apart=reader.read("prefer_apart", _read_terms, ()),
        spread=reader.read("spread", _read_spreads, ()),
        priority=reader.read("priority", _read_priority, 0),
        pinned=reader.read("pinned", _read_flag, False),
        cpu_features=reader.read("cpu_features", _read_features, ()),
        bandwidth_mbps=reader.read("bandwidth_mbps", _read_bandwidth, 0),
        machine=reader.read("machine", _read_machine, None),
        numa=reader.read("numa", _read_numa, 0),
        huge_pages=reader.read("huge_pages", _read_flag, False),
    )
    if reader.problems:
        raise InputError(reader.problems)
    return spec


class _Reader:
    """Collects the problems of all fields, so that the caller mends them in one go."""

    def __init__(self, body: Mapping[str, Any], key: str) -> None:
        self.body, self.key = body, key
        self.problems: list[Problem] = []

    def reject_unknown(self) -> None:
        known = "one of " + ", ".join(_FIELDS)
        self.problems += [
            Problem(f"{self.key}.{name}", "unknown field", known) for name in self.body if name not in _FIELDS
        ]

    def read(self, name: str, reader: Callable[[Any, str], Any], default: Any) -> Any:
        value = self.body.get(name)
        if value is None:
            return default
        try:
            return reader(value, f"{self.key}.{name}")
        except InputError as error:
            self.problems.extend(error.problems)
            return default


def _read_labels(value: Any, key: str) -> dict[str, str]:
    problems = check_labels(value, field=key)
    if problems:
        raise InputError(problems)
    return dict(value)


def _read_group(value: Any, key: str) -> str:
    problems = check_group(value, field=key)
    if problems:
        raise InputError(problems)
    return str(value)


def _read_terms(value: Any, key: str) -> tuple[str, ...]:
    terms = read_list(value, key, TERMS_MAX)
    problems = [problem for index, term in enumerate(terms) for problem in check_term(term, field=f"{key}.{index}")]
    return _once(terms, key, problems)


def _read_features(value: Any, key: str) -> tuple[str, ...]:
    features = read_list(value, key, FEATURES_MAX)
    problems = [
        Problem(f"{key}.{index}", f"{feature!r} is not a CPU feature's name", "a name such as avx2")
        for index, feature in enumerate(features)
        if not isinstance(feature, str) or not _FEATURE.fullmatch(feature)
    ]
    return _once(features, key, problems)


def _once(words: list[Any], key: str, problems: list[Problem]) -> tuple[str, ...]:
    if not problems:
        problems = [
            Problem(f"{key}.{index}", f"{word} is named twice", "each once")
            for index, word in enumerate(words)
            if word in words[:index]
        ]
    if problems:
        raise InputError(problems)
    return tuple(words)


def _read_spreads(value: Any, key: str) -> tuple[SpreadSpec, ...]:
    spreads = [_read_spread(item, f"{key}.{index}") for index, item in enumerate(read_list(value, key, SPREADS_MAX))]
    counted = [(spread.by, spread.label) for spread in spreads]
    problems = [
        Problem(f"{key}.{index}.by", f"{spread.by} is named twice for the same VMs", "each once")
        for index, spread in enumerate(spreads)
        if counted[index] in counted[:index]
    ]
    if problems:
        raise InputError(problems)
    return tuple(spreads)


def _read_spread(item: Any, key: str) -> SpreadSpec:
    mapping = item if isinstance(item, Mapping) else {"by": item}
    unknown = [name for name in mapping if name not in _SPREAD_FIELDS]
    problems = [Problem(f"{key}.{name}", "unknown field", "one of " + ", ".join(_SPREAD_FIELDS)) for name in unknown]
    by, at_most, label = mapping.get("by"), mapping.get("at_most", 1), mapping.get("label")
    if not isinstance(by, str) or not _KEY.fullmatch(by):
        problems.append(Problem(f"{key}.by", f"{by!r} is not a label of hosts", "a label such as rack, or host"))
    if not _is_whole(at_most, 1, AT_MOST_MAX):
        allowed = f"a whole number from 1 to {AT_MOST_MAX}"
        problems.append(Problem(f"{key}.at_most", f"{at_most!r} is not a number of VMs", allowed))
    if label is not None and (not isinstance(label, str) or not _KEY.fullmatch(label)):
        problems.append(Problem(f"{key}.label", f"{label!r} is not a label of VMs", "a label such as tier"))
    if problems:
        raise InputError(problems)
    return SpreadSpec(str(by), int(at_most), label)


def _read_priority(value: Any, key: str) -> int | str:
    if isinstance(value, str) and _PRIORITY_CLASS.fullmatch(value):
        return value
    if not _is_whole(value, PRIORITY_MIN, PRIORITY_MAX):
        allowed = f"a whole number from {PRIORITY_MIN} to {PRIORITY_MAX}, or a class of the service's policy"
        raise InputError([Problem(key, f"{value!r} is not a priority", allowed)])
    return int(value)


def _read_bandwidth(value: Any, key: str) -> int:
    if not _is_whole(value, 0, BANDWIDTH_MAX_MBPS):
        allowed = f"Mbit/s, a whole number up to {BANDWIDTH_MAX_MBPS}"
        raise InputError([Problem(key, f"{value!r} is not a bandwidth", allowed)])
    return int(value)


def _read_machine(value: Any, key: str) -> str:
    problems = check_machine(value, field=key)
    if problems:
        raise InputError(problems)
    return str(value)


def _read_numa(value: Any, key: str) -> int:
    if not _is_whole(value, 0, NUMA_MAX):
        allowed = f"a whole number up to {NUMA_MAX}"
        raise InputError([Problem(key, f"{value!r} is not a number of NUMA nodes", allowed)])
    return int(value)


def _read_flag(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise InputError([Problem(key, f"{value!r} is neither true nor false", "true or false")])
    return value


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
