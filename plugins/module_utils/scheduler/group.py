# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""VMs that belong together: placed in their order, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .request import Request
from .spread import Spread


@dataclass(frozen=True)
class NewVm:
    """A VM that is to be placed."""

    id: str
    request: Request


@dataclass(frozen=True)
class Group:
    """An ordered set of VMs.

    :param name: what terms call it, ``group:NAME``.
    :param vms: the first is placed first; each may ask to be with those before it, or apart from them.
    :param spread: how many of the group may share a failure domain, beside what each asks for itself.
    """

    name: str
    vms: tuple[NewVm, ...]
    spread: tuple[Spread, ...] = ()

    def members(self) -> tuple[NewVm, ...]:
        """The VMs, each knowing whose it is."""
        return tuple(replace(vm, request=self._of_group(vm)) for vm in self.vms)

    def _of_group(self, vm: NewVm) -> Request:
        spread = tuple(dict.fromkeys((*vm.request.spread, *self.spread)))
        return replace(vm.request, vm=vm.id, group=self.name, spread=spread)
