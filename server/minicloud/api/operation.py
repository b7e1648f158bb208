"""Operations: what is under way, what it did, and the terminal's side of a claim."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from minicloud.services import operation as operations
from minicloud.services.view.operation import OperationEventView, OperationView, Outcome

from .body import parse
from .call import Call, Caller, Changer, answer
from .input import LeaseBody, ReasonBody, ResultBody
from .output import Operation, OperationEvent, Page
from .parameter import Cursor, Limit, NameFilter, OperationRef, Position

LOG_ENTRIES_MAX = 10_000
_PAGE = 500


def list_(
    call: Caller,
    *,
    state: NameFilter = None,
    kind: NameFilter = None,
    vm: NameFilter = None,
    host: NameFilter = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """List operations, newest first."""
    page = operations.list(
        call.context, call.actor, limit=limit, cursor=cursor, state=state, kind=kind, vm=vm, host=host
    )
    return answer(Page[Operation].model_validate(page))


def get(call: Caller, operation: OperationRef) -> Response:
    """Get an operation."""
    return _answer(operations.get(call.context, call.actor, operation))


async def cancel(change: Changer, operation: OperationRef) -> Response:
    """Cancel an operation that is not yet done; one under way ends as soon as its run can be stopped."""
    reason = parse(ReasonBody, change.body).reason
    return _answer(await change.run(operations.cancel, operation, reason=reason))


def events(call: Caller, operation: OperationRef, limit: Limit = 200, position: Position = 0) -> Response:
    """List what an operation's runs reported, oldest first."""
    views = operations.events(call.context, call.actor, operation, after=position, limit=limit)
    more = str(views[-1].number) if len(views) == limit else None
    return answer(Page[OperationEvent](items=[OperationEvent.model_validate(view) for view in views], next=more))


def log(call: Caller, operation: OperationRef) -> Response:
    """Read what ansible-playbook printed for an operation."""
    return PlainTextResponse("".join(write_entry(view) for view in _read_log(call, operation)))


async def lease(change: Changer, operation: OperationRef) -> Response:
    """Renew the lease of a claimed operation."""
    body = parse(LeaseBody, change.body)
    view = await run_in_threadpool(
        operations.lease, change.context, change.actor, operation, body.epoch, lease_seconds=body.seconds
    )
    return _answer(view)


async def report(change: Changer, operation: OperationRef) -> Response:
    """Report how a claimed operation ended."""
    body = parse(ResultBody, change.body)
    view = await run_in_threadpool(
        operations.report, change.context, change.actor, operation, body.epoch, read_outcome(body)
    )
    return _answer(view)


def read_outcome(body: ResultBody) -> Outcome:
    """What a terminal says of a try. Nothing is tried again for it: the person at the terminal saw the error."""
    if body.outcome == "succeeded":
        return Outcome.succeeded(body.result)
    error = body.result.get("error")
    if not isinstance(error, dict):
        error = {"code": "minicloud.run.failed", "message": "the playbook failed and gave no reason"}
    return Outcome.failed(error, retry=False, result=body.result)


def write_entry(view: OperationEventView) -> str:
    """One entry of the log as ansible-playbook printed it; empty where it printed nothing."""
    text = str(view.data.get("stdout") or "").rstrip()
    return f"{text}\n" if text else ""


def _read_log(call: Call, operation: str) -> Iterator[OperationEventView]:
    last = 0
    for _page in range(LOG_ENTRIES_MAX // _PAGE):
        views = operations.events(call.context, call.actor, operation, after=last, limit=_PAGE)
        yield from views
        if len(views) < _PAGE:
            return
        last = views[-1].number


def _answer(view: OperationView) -> Response:
    return answer(Operation.model_validate(view))
