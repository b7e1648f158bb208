"""What VMs are called in their projects, for those who speak of others by name or by id."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


class VmNames:
    """The VMs that have room somewhere."""

    def __init__(self) -> None:
        self._ids: dict[str, dict[str, str]] = {}
        self._called: dict[str, tuple[str, str]] = {}

    def note(self, project: str, name: str, vm: str) -> None:
        """A VM of that id has that name."""
        self._called[vm] = (project, name)
        self._ids.setdefault(project, {}).update({name: vm, vm: vm})

    def forget(self, vm: str) -> None:
        """A VM is gone; its name may have been given to another by now."""
        project, name = self._called.pop(vm, ("", ""))
        ids = self._ids.get(project, {})
        for key in (name, vm):
            if ids.get(key) == vm:
                del ids[key]

    def of(self, project: str) -> Mapping[str, str]:
        """The id of each VM of a project, by its name and by its id."""
        return self._ids.get(project, _NOBODY)
