"""Who did what."""

from __future__ import annotations

from starlette.responses import Response

from minicloud.services import audit

from .call import Caller, answer
from .output import AuditEntry, Page
from .parameter import Cursor, Limit, NameFilter


def list_(
    call: Caller, action: NameFilter = None, resource: NameFilter = None, limit: Limit = 50, cursor: Cursor = None
) -> Response:
    """List what was done, newest first."""
    page = audit.list(call.context, call.actor, limit=limit, cursor=cursor, action=action, resource=resource)
    return answer(Page[AuditEntry].model_validate(page))
