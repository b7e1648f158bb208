"""The versioned views, for tools that cannot reach the database."""

from __future__ import annotations

from starlette.responses import Response

from minicloud.services import inventory

from .call import Caller, answer
from .output import Inventory


def read(call: Caller) -> Response:
    """Read the rows of `inventory_v1_hosts` and `inventory_v1_vms`."""
    return answer(Inventory.model_validate(inventory.read(call.context, call.actor)))
