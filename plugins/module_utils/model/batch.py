# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Many virtual machines that are wanted at once, some of them in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from .errors import InputError, Problem
from .scheduling import SPREADS_MAX, SpreadSpec, read_scheduling
from .term import check_group
from .vm import VmSpec, parse_spec

BATCH_MAX: Final = 100

_FIELDS: Final = ("vms", "groups", "all")
_GROUP_FIELDS: Final = ("name", "vms", "spread")


@dataclass(frozen=True)
class GroupSpec:
    """VMs that are made all or none, by their names, in the order in which they are placed."""

    name: str
    vms: tuple[str, ...]


@dataclass(frozen=True)
class BatchSpec:
    """What a caller wants at once.

    :param vms: in the order given; what a group asks of its VMs is in their ``scheduling``.
    :param whole: whether nothing is to be made unless all of it may be.
    """

    vms: tuple[VmSpec, ...]
    groups: tuple[GroupSpec, ...] = ()
    whole: bool = False

    def group_of(self, vm: str) -> str | None:
        """The group that a VM is one of."""
        return next((group.name for group in self.groups if vm in group.vms), None)

    def units(self) -> tuple[tuple[str | None, tuple[str, ...]], ...]:
        """The names of what is made all or none: each group with its own, and every other VM by itself.

        They come in the order in which the first of each was given.
        """
        groups = {group.vms[0]: (group.name, group.vms) for group in self.groups}
        grouped = {name: group.vms[0] for group in self.groups for name in group.vms}
        units: dict[str, tuple[str | None, tuple[str, ...]]] = {}
        for vm in self.vms:
            first = grouped.get(vm.name, vm.name)
            units.setdefault(first, groups.get(first, (None, (vm.name,))))
        return tuple(units.values())


def parse_batch(body: Mapping[str, Any]) -> BatchSpec:
    """Read what a caller wrote, naming every field that is wrong at once.

    :param body: ``vms``, a list as :func:`model.vm.parse_spec` reads each; perhaps ``groups``, a list of ``name``,
        ``vms`` (names) and ``spread`` (as in a VM's ``scheduling``); perhaps ``all``, true or false.
    :raises InputError: with one problem for each wrong field, such as ``vms.2.ram``; unknown fields are wrong.
    """
    reader = _Reader()
    reader.check_fields(body, _FIELDS, "")
    vms = reader.vms(body.get("vms"))
    groups = reader.groups(body.get("groups"), [vm.name for vm in vms])
    whole = body.get("all", False)
    if not isinstance(whole, bool):
        reader.refuse("all", f"{whole!r} is neither true nor false", "true or false")
    if not reader.problems:
        vms = reader.join(vms, groups)
    if reader.problems:
        raise InputError(reader.problems)
    return BatchSpec(tuple(vms), tuple(group.spec for group in groups), whole)


@dataclass(frozen=True)
class _Group:
    """A group as it was read."""

    spec: GroupSpec
    spread: tuple[SpreadSpec, ...]


class _Reader:
    """Collects the problems of all fields."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def refuse(self, field: str, message: str, allowed: str) -> None:
        self.problems.append(Problem(field, message, allowed))

    def check_fields(self, mapping: Mapping[str, Any], known: tuple[str, ...], path: str) -> None:
        for name in mapping:
            if name not in known:
                self.refuse(_join(path, str(name)), "unknown field", "one of " + ", ".join(known))

    def vms(self, value: Any) -> list[VmSpec]:
        if not isinstance(value, list) or not 1 <= len(value) <= BATCH_MAX:
            self.refuse("vms", "not a list of VMs of a fitting length", f"1 to {BATCH_MAX} VMs")
            return []
        found = [spec for index, item in enumerate(value) for spec in self._vm(item, f"vms.{index}")]
        if len(found) == len(value):
            self._check_once([spec.name for spec in found], "vms.{index}.name")
        return found

    def _vm(self, item: Any, path: str) -> Iterator[VmSpec]:
        if not isinstance(item, Mapping):
            self.refuse(path, f"{item!r} is not a VM", 'such as {"name": "web01"}')
            return
        try:
            yield parse_spec(item)
        except InputError as error:
            self.problems += [replace(problem, field=_join(path, problem.field)) for problem in error.problems]

    def _check_once(self, names: Sequence[str], path: str) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                self.refuse(path.format(index=index), f"{name} is named twice", "each once")

    def groups(self, value: Any, vms: Sequence[str]) -> list[_Group]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse("groups", "not a list of groups", 'such as [{"name": "db", "vms": ["db1", "db2"]}]')
            return []
        found = [group for index, item in enumerate(value) for group in self._group(item, f"groups.{index}", vms)]
        if len(found) == len(value):
            self._check_once([group.spec.name for group in found], "groups.{index}.name")
            self._check_apart(found)
        return found

    def _group(self, item: Any, path: str, vms: Sequence[str]) -> Iterator[_Group]:
        if not isinstance(item, Mapping):
            self.refuse(path, f"{item!r} is not a group", 'such as {"name": "db", "vms": ["db1", "db2"]}')
            return
        before = len(self.problems)
        self.check_fields(item, _GROUP_FIELDS, path)
        self.problems += check_group(item.get("name"), field=f"{path}.name")
        names = item.get("vms")
        if not isinstance(names, list) or not names:
            self.refuse(f"{path}.vms", "not a list of VMs", "the names of VMs of this batch")
        else:
            self._check_members(names, f"{path}.vms", vms)
        spread = self._spread(item.get("spread"), path)
        if len(self.problems) == before and isinstance(names, list):
            yield _Group(GroupSpec(str(item["name"]), tuple(names)), spread)

    def _check_members(self, names: Sequence[Any], path: str, vms: Sequence[str]) -> None:
        self._check_once(names, path + ".{index}")
        for index, name in enumerate(names):
            # Where no VM could be read, that is said already.
            if vms and name not in vms:
                self.refuse(f"{path}.{index}", f"there is no VM {name} in the batch", "the name of one of its VMs")

    def _spread(self, value: Any, path: str) -> tuple[SpreadSpec, ...]:
        try:
            return read_scheduling({"spread": value}, path).spread
        except InputError as error:
            self.problems += error.problems
            return ()

    def _check_apart(self, groups: Sequence[_Group]) -> None:
        owners: dict[str, str] = {}
        for number, group in enumerate(groups):
            for index, name in enumerate(group.spec.vms):
                owner = owners.setdefault(name, group.spec.name)
                if owner != group.spec.name:
                    self.refuse(f"groups.{number}.vms.{index}", f"{name} is in group {owner} too", "one group for each")

    def join(self, vms: Sequence[VmSpec], groups: Sequence[_Group]) -> list[VmSpec]:
        """The VMs with what their groups ask of them."""
        of = {name: group for group in groups for name in group.spec.vms}
        return [
            vm if vm.name not in of else self._join(vm, of[vm.name], f"vms.{index}.scheduling")
            for index, vm in enumerate(vms)
        ]

    def _join(self, vm: VmSpec, group: _Group, path: str) -> VmSpec:
        asked, name = vm.scheduling, group.spec.name
        if asked.group not in (None, name):
            self.refuse(f"{path}.group", f"{asked.group} is another group than {name}, which names {vm.name}", name)
        spread = tuple(dict.fromkeys((*asked.spread, *group.spread)))
        counted = [(one.by, one.label) for one in spread]
        if len(set(counted)) < len(counted):
            self.refuse(f"{path}.spread", f"group {name} says otherwise of the same VMs", "one number for each")
        elif len(spread) > SPREADS_MAX:
            self.refuse(
                f"{path}.spread", f"{len(spread)} of them, with those of group {name}", f"at most {SPREADS_MAX}"
            )
        return replace(vm, scheduling=replace(asked, group=name, spread=spread))


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path and field else path or field
