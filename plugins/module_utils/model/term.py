# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Terms, by which one speaks of VMs: ``vm:ID`` is one of them, ``group:NAME`` are those of a group, ``KEY=VALUE``
those that carry a label.

Where a term says how near they are meant, it means one host. With ``@`` and a label of hosts it means one failure
domain, all hosts that carry one value of that label: ``group:db@rack``. What follows the last ``@`` is that label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from .errors import Problem
from .name import LABEL_KEY_FORM, LABEL_VALUE_FORM, NAME_FORM

VM: Final = "vm:"
GROUP: Final = "group:"
# The one domain that needs no label: each host is its own.
HOST: Final = "host"
_AT: Final = "@"
_GROUP_FORM: Final = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"

# As documents and the API's description carry them. A caller names VMs by name or id; in a file an id may be anything
# that can be printed.
GROUP_PATTERN: Final = f"^{_GROUP_FORM}$"
_WHOM: Final = f"({VM}{NAME_FORM}|{GROUP}{_GROUP_FORM}|{LABEL_KEY_FORM}={LABEL_VALUE_FORM})"
TERM_PATTERN: Final = f"^{_WHOM}({_AT}{LABEL_KEY_FORM})?$"
GROUP_RULE: Final = "up to 63 letters, digits, . _ -, a letter or digit at each end"
TERM_RULE: Final = "vm:web01 (a VM by name or id), group:db, or a label such as tier=web; perhaps with @rack"

_GROUP: Final = re.compile(_GROUP_FORM)
_TERM: Final = re.compile(TERM_PATTERN)
_KEY: Final = re.compile(LABEL_KEY_FORM)


def check_term(value: object, *, field: str, any_id: bool = False) -> list[Problem]:
    """Problems with a term; an empty list when it is one.

    :param any_id: whether a VM may be called anything, as files do.
    """
    if isinstance(value, str) and (_TERM.fullmatch(value) or (any_id and _names_by_id(value))):
        return []
    return [Problem(field, f"{value!r} names neither a VM, a group nor a label", TERM_RULE)]


def _names_by_id(value: str) -> bool:
    whom, by = split_term(value)
    vm = whom.removeprefix(VM)
    return whom.startswith(VM) and bool(vm) and vm.isprintable() and _KEY.fullmatch(by) is not None


def check_group(value: object, *, field: str) -> list[Problem]:
    """Problems with a group's name; an empty list when it is good."""
    if isinstance(value, str) and _GROUP.fullmatch(value):
        return []
    return [Problem(field, f"{value!r} is not a group's name", GROUP_RULE)]


def split_term(term: str) -> tuple[str, str]:
    """Whom a term means, and how near: a label of hosts, or ``host``."""
    whom, at, by = term.rpartition(_AT)
    return (whom, by) if at else (term, HOST)


def join_term(whom: str, by: str) -> str:
    """The term of those within that domain: the inverse of :func:`split_term`, and the shortest that means it."""
    return whom if by == HOST and _AT not in whom else f"{whom}{_AT}{by}"


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
    """All that a VM may be called, however near."""
    if vm is not None:
        yield vm_term(vm)
    if group is not None:
        yield group_term(group)
    for key, value in labels.items():
        yield label_term(key, value)
