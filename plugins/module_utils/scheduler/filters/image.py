# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Only hosts that have the VM's image or can fetch it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...model.reason import Reason
from ..request import Request
from ..rule import Ask, Filter

if TYPE_CHECKING:
    from ..arrays import Mask, Rows


def concerns(request: Request) -> bool:
    return request.image is not None


def passes(ask: Ask, rows: Rows) -> Mask:
    return ask.fleet.features.reachable_images.taking(str(ask.request.image))[rows]


def reason(ask: Ask, row: int) -> Reason:
    image = ask.request.image
    return Reason("image", f"it neither has image {image} nor can fetch it", {"image": image})


FILTER = Filter("image", passes, reason, concerns, standing=True)
