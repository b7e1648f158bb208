"""A trace: what was asked for, and when, a line of JSON for each request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from minicloud_core.model.errors import InputError
from minicloud_core.model.term import check_group
from minicloud_core.scheduler.document_field import FieldReader
from minicloud_core.scheduler.group import Group, NewVm
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.vm_document import WrittenVm, read_spread, read_vm

from .decoding import decode, placed

_LINE_MAX: Final = 1 << 20
_TIME_MAX: Final = 1e15
_FIELDS: Final = {"create": ("at", "op", "vm"), "delete": ("at", "op", "id")}
_GROUP_FIELDS: Final = ("at", "op", "group", "vms", "spread")


@dataclass(frozen=True)
class Step:
    """One line of a trace.

    :param place: its file and line, for errors.
    :param at: seconds, from whatever moment the trace counts from.
    :param vm: the VM's id.
    :param request: what is wanted; None for a delete, and for a group.
    :param group: VMs that are wanted all or none; ``vm`` then is the group's name.
    """

    place: str
    at: float
    vm: str
    request: Request | None
    group: Group | None = None


def read_trace(path: Path) -> Iterator[Step]:
    """Read a trace one line at a time, so that its length does not matter. Empty lines are passed over.

    :raises InputError: naming the file, the line and the field of what is wrong in it, when that line is reached.
    :raises OSError: when the file cannot be read.
    """
    before = -_TIME_MAX
    with path.open("rb") as file:
        for number, line in enumerate(_lines(file, path), start=1):
            if line.strip():
                step = _step(line, f"{path}:{number}", before)
                before = step.at
                yield step


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    number = 0
    while line := file.readline(_LINE_MAX + 1):
        number += 1
        if len(line) > _LINE_MAX:
            raise _wrong(f"{path}:{number}", "", "longer than 1 MiB", "one request on each line")
        yield line


def _step(line: bytes, place: str, before: float) -> Step:
    document = decode(line.strip(), place)
    reader = FieldReader()
    mapping = reader.mapping(document, "")
    step = None if mapping is None else _read_step(reader, mapping, place, before)
    if step is None or reader.problems:
        raise InputError([placed(problem, place) for problem in reader.problems])
    return step


def _read_step(reader: FieldReader, mapping: Mapping[str, Any], place: str, before: float) -> Step | None:
    operation = mapping.get("op")
    if not isinstance(operation, str) or operation not in _FIELDS:
        reader.refuse("op", f"{operation!r} is not an operation", " or ".join(_FIELDS))
        return None
    grouped = operation == "create" and ("group" in mapping or "vms" in mapping)
    reader.check_fields(mapping, _GROUP_FIELDS if grouped else _FIELDS[operation], "")
    at = _time(reader, mapping.get("at"), before)
    if operation == "delete":
        return Step(place, at, reader.text(mapping.get("id"), "id", "a VM's id"), None)
    if grouped:
        group = _read_group(reader, mapping)
        return Step(place, at, group.name, None, group)
    wanted = reader.mapping(mapping.get("vm"), "vm")
    if wanted is None:
        return None
    vm = _read_new(reader, wanted, "vm")
    return Step(place, at, vm.id, vm.request)


def _read_new(reader: FieldReader, wanted: Mapping[str, Any], field: str) -> WrittenVm:
    """A VM that is to be placed."""
    before = len(reader.problems)
    vm = read_vm(reader, wanted, field)
    if len(reader.problems) > before:
        return vm
    if vm.host_pin is not None:
        reader.refuse(
            f"{field}.host_pin", "a VM that is to be placed is nowhere yet", "host, for the only one that will do"
        )
    if vm.nodes:
        reader.refuse(f"{field}.nodes", "a VM that is to be placed is nowhere yet", "numa, for how many")
    return vm


def _read_group(reader: FieldReader, mapping: Mapping[str, Any]) -> Group:
    reader.problems += check_group(mapping.get("group"), field="group")
    name = str(mapping.get("group"))
    vms: dict[str, NewVm] = {}
    items = reader.items(mapping.get("vms"), "vms")
    if not items:
        reader.refuse("vms", "a group without VMs", "a list of VMs, in the order in which they are placed")
    for index, item in enumerate(items):
        field = f"vms.{index}"
        wanted = reader.mapping(item, field)
        if wanted is None:
            continue
        vm = _read_new(reader, wanted, field)
        if vm.id in vms:
            reader.refuse(f"{field}.id", f"{vm.id} is there twice", "each VM once")
        if vm.request.group not in (None, name):
            reader.refuse(f"{field}.group", f"{vm.request.group!r} is another group", f"{name}, or nothing")
        vms[vm.id] = NewVm(vm.id, vm.request)
    return Group(name, tuple(vms.values()), read_spread(reader, mapping.get("spread"), "spread"))


def _time(reader: FieldReader, value: Any, before: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _TIME_MAX:
        reader.refuse("at", f"{value!r} is not a time", "a number of seconds")
        return before
    if value < before:
        reader.refuse("at", f"{value} is before the line above, at {before}", "lines in the order of time")
    return value


def _wrong(place: str, field: str, message: str, allowed: str) -> InputError:
    reader = FieldReader()
    reader.refuse(field, message, allowed)
    return InputError([placed(problem, place) for problem in reader.problems])
