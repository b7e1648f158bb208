"""VMs: create, read, and the verbs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query
from minicloud_core.model.errors import InputError, NotFoundError, Problem
from minicloud_core.model.vm import parse_spec
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from minicloud.services import console, placement
from minicloud.services import vm as vms
from minicloud.services.view.operation import Claim, OperationView
from minicloud.services.view.vm import VmChange, VmCreation, VmView

from .body import parse
from .call import Caller, Change, Changer, answer
from .input import ChangeBody, MigrateBody, Owner, ReservationId, Shape, StopBody
from .outcome import settle
from .output import Page, Placement, Vm, VmAnswer
from .parameter import Cursor, Limit, NameFilter, Position, ProjectName, VmRef, cut

CONSOLE_MAX = 4 * 1024 * 1024


class _Beside(Shape):
    """What a create says beside the VM."""

    claim: Owner | None = None
    reservation: ReservationId | None = None


async def create(change: Changer, project: ProjectName = None) -> Response:
    """Create a VM.

    The same name and spec again answers the same VM. With `Prefer: wait=N` the answer is 201 with the running VM, or
    the reason why it does not run.
    """
    body = dict(change.body)
    beside = parse(_Beside, {field: body.pop(field, None) for field in _Beside.model_fields})
    creation: VmCreation = await change.run(vms.create, parse_spec(body), project=project, **dict(beside))
    return await _answer(change, creation, creation.created, settled=201)


def list_(
    call: Caller,
    *,
    name: NameFilter = None,
    status: NameFilter = None,
    host: NameFilter = None,
    label: Annotated[
        list[str], Query(default_factory=list, description="`key=value`; several must all match.", max_length=16)
    ],
    project: ProjectName = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List VMs."""
    page = vms.list(
        call.context,
        call.actor,
        limit=limit,
        cursor=cursor,
        name=name,
        status=status,
        host=host,
        labels=_read_labels(label),
        project=project,
    )
    return answer(Page[Vm].model_validate(page))


def get(call: Caller, vm: VmRef, project: ProjectName = None) -> Response:
    """Get a VM."""
    return answer(Vm.model_validate(vms.get(call.context, call.actor, vm, project=project)))


async def delete(change: Changer, vm: VmRef, project: ProjectName = None) -> Response:
    """Delete a VM with its disks."""
    return await _change(change, vm, project, "delete", ChangeBody)


async def stop(change: Changer, vm: VmRef, project: ProjectName = None) -> Response:
    """Stop a VM: ask its guest to, then pull the plug."""
    return await _change(change, vm, project, "stop", StopBody)


async def migrate(change: Changer, vm: VmRef, project: ProjectName = None) -> Response:
    """Move a running VM to another host."""
    return await _change(change, vm, project, "migrate", MigrateBody)


def verb(name: str, summary: str) -> Callable[..., Coroutine[Any, Any, Response]]:
    """The handler of a verb that needs nothing but the VM."""

    async def handler(change: Changer, vm: VmRef, project: ProjectName = None) -> Response:
        return await _change(change, vm, project, name, ChangeBody)

    handler.__name__ = name
    handler.__doc__ = summary
    return handler


start = verb("start", "Start a VM.")
reboot = verb("reboot", "Ask a VM's guest to reboot.")
reset = verb("reset", "Reset a VM, as its reset button would.")
pause = verb("pause", "Pause a VM; it keeps its memory.")
resume = verb("resume", "Resume a paused VM.")


def explain(
    call: Caller, vm: VmRef, *, project: ProjectName = None, limit: Limit = 50, position: Position = 0
) -> Response:
    """Say why a VM is where it is, and was where it was; newest first."""
    views, more = cut(placement.explain(call.context, call.actor, vm, project=project), position, limit)
    return answer(Page[Placement](items=[Placement.model_validate(view) for view in views], next=more))


def read_console(
    call: Caller,
    vm: VmRef,
    project: ProjectName = None,
    tail: Annotated[int, Query(ge=1, le=CONSOLE_MAX, description="Bytes from the end.")] = 65536,
) -> Response:
    """Read what a VM wrote to its serial console."""
    content = console.read(call.context, call.actor, call.room.console, vm, tail=tail, project=project)
    return PlainTextResponse(content, media_type="text/plain; charset=utf-8")


async def _change(change: Change, ref: str, project: str | None, name: str, shape: type[ChangeBody]) -> Response:
    arguments = parse(shape, change.body).model_dump(exclude_none=True, exclude_unset=True)
    claim = arguments.pop("claim", None)
    result: VmChange = await change.run(vms.change, ref, name, project=project, claim=claim, **arguments)
    return await _answer(change, result, result.changed, settled=200)


async def _answer(change: Change, result: VmCreation | VmChange, changed: bool, *, settled: int) -> Response:
    """202 while something is under way, ``settled`` once it was waited for, 200 where there was nothing to do."""
    vm, operation = result.vm, result.operation
    under_way = operation is not None and operation.ended_at is None
    status = 202 if under_way else 200
    headers = {"location": f"/v1/vms/{vm.id}"} if vm.id else {}
    if change.wait and under_way:
        headers["preference_applied"] = "wait"
        if await settle(change, operation):
            vm = await run_in_threadpool(_look_again, change, vm)
            status = settled if changed else 200
    return answer(show(vm, operation, changed, result), status, replayed=result.replayed, **headers)


def _look_again(change: Change, vm: VmView) -> VmView:
    try:
        return vms.get(change.context, change.actor, vm.id)
    except NotFoundError:
        return replace(vm, status="deleted", host=None)


def show(vm: VmView, operation: OperationView | None, changed: bool, result: VmCreation | VmChange) -> VmAnswer:
    """A VM after a change, on the wire."""
    return VmAnswer.model_validate(
        {
            **vars(vm),
            "operation": None if operation is None else operation.id,
            "changed": changed,
            "placement": None if result.placement is None else dict(result.placement),
            **({} if result.claim is None else _show_claim(result.claim)),
        }
    )


def _show_claim(claim: Claim) -> dict[str, Any]:
    return {
        "order": dict(claim.order),
        "connection": claim.connection,
        "destination": claim.destination,
        "image_order": None if claim.image is None else dict(claim.image),
        "lease": {"epoch": claim.epoch, "until": claim.lease_until},
    }


def _read_labels(pairs: list[str]) -> Mapping[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise InputError([Problem("label", f"{pair!r} is not a label", "key=value")])
    return dict(pair.split("=", 1) for pair in pairs)
