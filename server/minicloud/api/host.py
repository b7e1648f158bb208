"""Hosts: registration, and whether VMs may go there."""

from __future__ import annotations

from starlette.responses import Response

from minicloud.services import host as hosts
from minicloud.services.view.host import HostChange, HostSpec, HostSummary, HostView

from .body import parse
from .call import Caller, Change, Changer, answer
from .input import EmptyBody, HostBody, ReasonBody
from .output import AnyHost, Domain, Host, HostAnswer, HostDetail, HostPage, Page
from .parameter import Cursor, HostRef, Limit, NameFilter, Position, cut


async def register(change: Changer) -> Response:
    """Register a host, or change what is known of it."""
    result = await change.run(hosts.register, _spec(parse(HostBody, change.body)))
    return _answer(result, 201 if result.created and not change.dry_run else 200)


def list_(call: Caller, state: NameFilter = None, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """List hosts."""
    page = hosts.list(call.context, call.actor, limit=limit, cursor=cursor, state=state)
    return answer(HostPage(items=[show(view) for view in page.items], next=page.next))


def get(call: Caller, host: HostRef) -> Response:
    """Get a host."""
    return answer(show(hosts.get(call.context, call.actor, host)))


async def remove(change: Changer, host: HostRef) -> Response:
    """Forget a host that carries no VM."""
    parse(EmptyBody, change.body)
    await change.run(hosts.remove, host)
    return Response(status_code=204)


async def cordon(change: Changer, host: HostRef) -> Response:
    """Keep new VMs off a host."""
    return _answer(await change.run(hosts.cordon, host, reason=_reason(change)), 200)


async def uncordon(change: Changer, host: HostRef) -> Response:
    """Let new VMs onto a host again."""
    return _answer(await change.run(hosts.uncordon, host, reason=_reason(change)), 200)


async def fence(change: Changer, host: HostRef) -> Response:
    """Cut a host's power by its fence agent."""
    result = await change.run(hosts.fence, host, reason=_reason(change))
    return _answer(result, 202 if result.operation else 200)


def domains(call: Caller, host: HostRef, limit: Limit = 50, position: Position = 0) -> Response:
    """List every domain on a host, those that are not ours among them."""
    views, more = cut(hosts.domains(call.context, call.actor, host), position, limit)
    return answer(Page[Domain](items=[Domain.model_validate(view) for view in views], next=more))


def show(view: HostView | HostSummary) -> AnyHost:
    """A host as its reader may see it."""
    return (HostDetail if isinstance(view, HostView) else Host).model_validate(view)


def _spec(body: HostBody) -> HostSpec:
    fence = body.fence.model_dump() if body.fence and body.fence.agent else {}
    return HostSpec(
        **body.model_dump(exclude={"fence", "power"}),
        fence=None if body.fence is None else fence,
        power=None if body.power is None else body.power.model_dump(exclude_none=True),
    )


def _reason(change: Change) -> str:
    return parse(ReasonBody, change.body).reason


def _answer(result: HostChange, status: int) -> Response:
    host = HostDetail.model_validate(result.host).model_dump()
    shape = HostAnswer(**host, changed=result.changed, operation=result.operation)
    return answer(shape, status, replayed=result.replayed)
