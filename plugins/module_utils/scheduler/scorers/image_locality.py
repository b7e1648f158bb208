# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the VM's image lies on the host already, so that nothing need be fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..arrays import np
from ..request import Request
from ..rule import Ask, Scorer

if TYPE_CHECKING:
    from ..arrays import Rows, Vector


def concerns(request: Request) -> bool:
    return request.image is not None


def values(ask: Ask, rows: Rows) -> Vector:
    return ask.fleet.features.images.taking(str(ask.request.image))[rows].astype(np.float64)


SCORER = Scorer("image_locality", values, standing=True, concerns=concerns)
