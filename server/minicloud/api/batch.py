"""Batches: many VMs at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from minicloud_core.model.batch import parse_batch
from starlette.responses import Response

from minicloud.services import batch as batches
from minicloud.services.view.batch import BatchCreation, BatchItem
from minicloud.services.view.vm import VmCreation

from . import vm
from .call import Change, Changer, answer
from .output import BatchAnswer
from .parameter import ProjectName
from .problem import problem_of


async def create(change: Changer, project: ProjectName = None) -> Response:
    """Create many VMs at once, ordered and chosen so that more of them fit.

    A group is made whole or not at all. 409 where nothing may be made, or, with `all`, where not all of it may be.
    """
    batch = parse_batch(change.body)
    made: BatchCreation = await change.run(batches.create, batch, project=project)
    shown = {
        "items": [_show(change, item) for item in made.items],
        "created": made.created,
        "refused": made.refused,
    }
    under_way = any(item.creation is not None and _is_under_way(item.creation) for item in made.items)
    return answer(BatchAnswer.model_validate(shown), 202 if under_way else 200, replayed=made.replayed)


def _show(change: Change, item: BatchItem) -> dict[str, Any]:
    if item.error is not None:
        return {"name": item.name, "problem": problem_of(item.error, change.actor.request_id)}
    assert item.creation is not None
    creation = item.creation
    # A VM that is made can be asked for its placement; so many of them would be megabytes.
    told = creation if change.dry_run else replace(creation, record=None)
    return {"name": item.name, "vm": vm.show(creation.vm, creation.operation, creation.created, told)}


def _is_under_way(creation: VmCreation) -> bool:
    return creation.operation is not None and creation.operation.ended_at is None
