# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Terms: how a request speaks of other VMs. ``vm:ID`` is one of them, ``group:NAME`` those of a group, ``KEY=VALUE``
those that carry a label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from ..model.errors import Problem
from ..model.name import check_labels

VM: Final = "vm:"
GROUP: Final = "group:"
FORMS: Final = "vm:ID, group:NAME or a label KEY=VALUE"
_GROUP: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
GROUP_RULE: Final = "up to 63 letters, digits, . _ -, a letter or digit at each end"


def check_term(value: object, *, field: str) -> list[Problem]:
    """Problems with a term; an empty list when it is one."""
    if not isinstance(value, str):
        return [Problem(field, f"{value!r} does not name VMs", FORMS)]
    if value.startswith(VM):
        vm = value.removeprefix(VM)
        return [] if vm and vm.isprintable() else [Problem(field, f"{value!r} names no VM", "such as vm:web01")]
    if value.startswith(GROUP):
        return check_group(value.removeprefix(GROUP), field=field)
    key, equals, text = value.partition("=")
    if equals and not check_labels({key: text}):
        return []
    return [Problem(field, f"{value!r} does not name VMs", FORMS)]


def check_group(value: object, *, field: str) -> list[Problem]:
    """Problems with a group's name; an empty list when it is good."""
    if isinstance(value, str) and _GROUP.fullmatch(value):
        return []
    return [Problem(field, f"{value!r} is not a group's name", GROUP_RULE)]


def vm_term(vm: str) -> str:
    """What names one VM."""
    return f"{VM}{vm}"


def group_term(group: str) -> str:
    """What names the VMs of a group."""
    return f"{GROUP}{group}"


def label_term(key: str, value: str) -> str:
    """What names the VMs that carry a label."""
    return f"{key}={value}"


def terms_of(vm: str | None, group: str | None, labels: Mapping[str, str]) -> Iterator[str]:
    """All terms that a VM answers to."""
    if vm is not None:
        yield vm_term(vm)
    if group is not None:
        yield group_term(group)
    for key, value in labels.items():
        yield label_term(key, value)
