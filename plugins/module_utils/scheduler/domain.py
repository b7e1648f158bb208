# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Failure domains: which hosts share the value of a label, and so what takes them down together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ..model.term import HOST
from .arrays import np
from .host import HostView

if TYPE_CHECKING:
    import numpy.typing as npt

# The number of what has no domain: a host that does not carry the label.
NONE: Final = -1


class Domains:
    """The hosts of a fleet by domain, for each label that somebody asks for. Domains are told apart by numbers."""

    def __init__(self, hosts: Sequence[HostView]) -> None:
        self._labels: list[Mapping[str, str]] = [host.labels for host in hosts]
        self._numbers: dict[str, npt.NDArray[np.intp]] = {}

    def __len__(self) -> int:
        """How many hosts there are."""
        return len(self._labels)

    def of(self, by: str) -> npt.NDArray[np.intp]:
        """Each host's domain by a label, by row; ``NONE`` for a host that does not carry it. To be read alone."""
        numbers = self._numbers.get(by)
        if numbers is None:
            numbers = self._numbers[by] = self._tell_apart(by)
        return numbers

    def name(self, by: str, row: int) -> str | None:
        """What a host's domain is called; None when it has none."""
        return self._labels[row].get(by)

    def _tell_apart(self, by: str) -> npt.NDArray[np.intp]:
        if by == HOST:
            return np.arange(len(self._labels), dtype=np.intp)
        known: dict[str, int] = {}
        values = (labels.get(by) for labels in self._labels)
        numbers = [NONE if value is None else known.setdefault(value, len(known)) for value in values]
        return np.array(numbers, dtype=np.intp)
