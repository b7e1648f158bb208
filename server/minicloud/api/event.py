"""The stream of everything that changes (server-sent events)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import Header
from minicloud_core.model.errors import InputError, Problem, UnavailableError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from minicloud.services import event as events
from minicloud.services import operation as operations
from minicloud.services import vm as vms
from minicloud.services.view.event import EventView

from .call import Call, Caller, Room
from .output import Event
from .parameter import NameFilter, ProjectName

HEARTBEAT: Final = 15.0
BATCH: Final = 200
_ID: Final = re.compile(r"^[0-9]{1,15}$")


async def stream(
    call: Caller,
    *,
    vm: NameFilter = None,
    operation: NameFilter = None,
    project: ProjectName = None,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="Resume after this event; 0 for all that are kept.")
    ] = None,
) -> Response:
    """Follow what changes, from now on or from where the last stream broke off."""
    if call.room.streams >= call.room.streams_max:
        raise UnavailableError(
            f"{call.room.streams_max} event streams are open already", hint="close one, or poll the resource itself"
        )
    start = await _start(call, last_event_id)
    vm_id, operation_id = await run_in_threadpool(_resolve, call, vm, project, operation)
    return StreamingResponse(
        _guarded(call.room, _follow(call, start, vm_id, operation_id)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _start(call: Call, last_event_id: str | None) -> int:
    if last_event_id is not None and not _ID.fullmatch(last_event_id):
        raise InputError([Problem("Last-Event-ID", f"{last_event_id!r} is not an event's id", "a whole number")])
    return await run_in_threadpool(events.latest, call.context) if last_event_id is None else int(last_event_id)


def _resolve(call: Call, vm: str | None, project: str | None, operation: str | None) -> tuple[str | None, str | None]:
    """The ids behind what the caller named; what does not exist is a 404 rather than a silent stream."""
    vm_id = None if vm is None else vms.get(call.context, call.actor, vm, project=project).id
    operation_id = None if operation is None else operations.get(call.context, call.actor, operation).id
    return vm_id, operation_id


async def _guarded(room: Room, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    room.streams += 1
    try:
        async for line in lines:
            yield line
    finally:
        room.streams -= 1


async def _follow(call: Call, start: int, vm: str | None, operation: str | None) -> AsyncIterator[bytes]:
    relay, loop, last = call.room.relay, asyncio.get_running_loop(), start
    yield b": following\n\n"
    spoke = loop.time()
    with relay.watch(operation) as watch:
        while not relay.stopping:
            watch.clear()
            batch = await run_in_threadpool(
                events.after, call.context, call.actor, last, limit=BATCH, vm=vm, operation=operation
            )
            if batch:
                last, spoke = batch[-1].id, loop.time()
                yield b"".join(write(view) for view in batch)
            elif loop.time() - spoke >= HEARTBEAT:
                spoke = loop.time()
                yield b": still here\n\n"
            if len(batch) < BATCH:
                await watch.changed(HEARTBEAT - (loop.time() - spoke))


def write(view: EventView) -> bytes:
    """An event as the text format has it; JSON has no line breaks, so one data line does."""
    data = Event.model_validate(view).model_dump_json()
    return f"id: {view.id}\nevent: {view.kind}\ndata: {data}\n\n".encode()
