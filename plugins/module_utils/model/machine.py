# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Machine types: the boards that a guest may sit on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .errors import Problem

# Those that we know how to equip, by architecture, the best first, with how names of their versions begin.
FAMILIES: Final[Mapping[str, Mapping[str, str]]] = {
    "x86_64": {"q35": "pc-q35-", "pc": "pc-i440fx-"},
    "aarch64": {"virt": "virt-"},
    "riscv64": {"virt": "virt-"},
    "ppc64le": {"pseries": "pseries-"},
    "s390x": {"s390-ccw-virtio": "s390-ccw-virtio-"},
}
_VERSION: Final = r"[a-z0-9][a-z0-9._-]{0,40}"
_VERSIONS: Final = {family: prefix for families in FAMILIES.values() for family, prefix in families.items()}
# As documents and the API's description carry it.
MACHINE_PATTERN: Final = (
    "^(" + "|".join(f"{family}|{prefix}{_VERSION}" for family, prefix in sorted(_VERSIONS.items())) + ")$"
)
MACHINE_RULE: Final = f"{', '.join(sorted(_VERSIONS))}, or a version of one such as pc-q35-7.2"

_MACHINE: Final = re.compile(MACHINE_PATTERN)


def check_machine(value: object, *, field: str) -> list[Problem]:
    """Problems with the name of a machine type; an empty list when VMs can be given it."""
    if isinstance(value, str) and _MACHINE.fullmatch(value):
        return []
    return [Problem(field, f"{value!r} is not a machine type that VMs can be given", MACHINE_RULE)]


def is_machine(existing: str, wanted: str) -> bool:
    """Whether a machine is what was asked for: that one, or any version of the family."""
    return existing == wanted or (wanted in _VERSIONS and existing.startswith(_VERSIONS[wanted]))
