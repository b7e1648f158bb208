# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How many VMs of a kind may share one failure domain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Spread:
    """At most so many in each domain.

    :param by: a label of hosts, such as ``rack``: hosts with one value of it are one domain. ``host``: each for itself.
    :param at_most: how many in one domain, 1 or more.
    :param label: counted are VMs that carry the same value of this label; None for the VMs of the same group.
    """

    by: str
    at_most: int
    label: str | None = None

    def to_mapping(self) -> dict[str, str | int]:
        """As documents write it."""
        plain: dict[str, str | int] = {"by": self.by, "at_most": self.at_most}
        return plain if self.label is None else {**plain, "label": self.label}
