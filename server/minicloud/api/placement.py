"""Placements: what was decided, and what would be."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from minicloud_core.model.vm import parse_spec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from minicloud.services import placement as placements
from minicloud.services import placement_record as records

from .call import Caller, Changer, answer
from .output import Decision, Page, PlacementDetail, PlacementRecord
from .parameter import Cursor, Limit, NameFilter, PlacementRef, ProjectName


async def decide(change: Changer, project: ProjectName = None) -> Response:
    """Say where a VM would go, and why; nothing is kept, with or without `dry_run`."""
    spec = parse_spec(change.body)
    decision = await run_in_threadpool(placements.decide, change.context, change.actor, spec, project=project)
    return answer(Decision(host=decision.host, decision=decision.to_mapping()))


def list_(
    call: Caller,
    *,
    name: NameFilter = None,
    host: NameFilter = None,
    refused: Annotated[
        bool | None, Query(description="Only those that found no host; `false` for only those that did.")
    ] = None,
    project: ProjectName = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List the scheduler's decisions, newest first, without what they say of each host."""
    page = records.list(
        call.context,
        call.actor,
        limit=limit,
        cursor=cursor,
        name=name,
        host=host,
        refused=refused,
        project=project,
    )
    return answer(Page[PlacementRecord].model_validate(page))


def get(call: Caller, placement: PlacementRef) -> Response:
    """Say all of one decision."""
    return answer(PlacementDetail.model_validate(records.get(call.context, call.actor, placement)))
