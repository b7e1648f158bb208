# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A host that is dedicated to projects takes no VMs of others. Whose host it is may go elsewhere all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.dedicated.taking(ask.request.project)[rows]


def reason(ask: Ask, row: int) -> Reason:
    projects, project = sorted(ask.fleet.hosts[row].dedicated), ask.request.project
    return Reason(
        "dedicated",
        f"it is dedicated to {', '.join(projects)}, and the VM is of {project}",
        {"dedicated": projects, "project": project},
    )


FILTER = Filter("dedicated", passes, reason, standing=True)
