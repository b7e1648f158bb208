"""Projects: whose VMs are whose."""

from __future__ import annotations

from starlette.responses import Response

from minicloud.services import project as projects
from minicloud.services.view.project import Quota

from .body import parse
from .call import Caller, Changer, answer
from .input import ProjectBody, QuotaBody
from .output import Page, Project
from .parameter import Cursor, Limit


async def create(change: Changer) -> Response:
    """Create a project."""
    body = parse(ProjectBody, change.body)
    result = await change.run(projects.create, body.name, Quota(**body.quota.model_dump()))
    return answer(Project.model_validate(result), 200 if change.dry_run else 201)


def list_(call: Caller, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """List the projects that the token may see."""
    return answer(Page[Project].model_validate(projects.list(call.context, call.actor, limit=limit, cursor=cursor)))


def get(call: Caller, project: str) -> Response:
    """Get a project with its quota and its use."""
    return answer(Project.model_validate(projects.get(call.context, call.actor, project)))


async def set_quota(change: Changer, project: str) -> Response:
    """Set a project's quota as a whole."""
    quota = Quota(**parse(QuotaBody, change.body).model_dump())
    return answer(Project.model_validate(await change.run(projects.set_quota, project, quota)))
