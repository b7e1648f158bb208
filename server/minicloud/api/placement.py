"""Placements that nobody asked to be carried out."""

from __future__ import annotations

from minicloud_core.model.vm import parse_spec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from minicloud.services import placement as placements

from .call import Changer, answer
from .output import Decision
from .parameter import ProjectName


async def decide(change: Changer, project: ProjectName = None) -> Response:
    """Say where a VM would go, and why; nothing is kept, with or without `dry_run`."""
    spec = parse_spec(change.body)
    decision = await run_in_threadpool(placements.decide, change.context, change.actor, spec, project=project)
    return answer(Decision(host=decision.host, decision=decision.to_mapping()))
