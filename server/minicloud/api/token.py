"""Tokens: who may do what."""

from __future__ import annotations

from starlette.responses import Response

from minicloud.services import token as tokens

from .body import parse
from .call import Caller, Changer, answer
from .input import EmptyBody, TokenBody
from .output import Page, Token, TokenCreation
from .parameter import Cursor, Limit


async def create(change: Changer) -> Response:
    """Create a token. The answer is the only place where it is ever shown."""
    body = parse(TokenBody, change.body)
    result = await change.run(tokens.create, body.name, body.role, project=body.project, expires_at=body.expires_at)
    shape = TokenCreation.model_validate({**vars(result.token), "token": result.secret})
    return answer(shape, 200 if change.dry_run else 201, replayed=result.replayed)


def list_(call: Caller, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """List tokens, without their secrets."""
    return answer(Page[Token].model_validate(tokens.list(call.context, call.actor, limit=limit, cursor=cursor)))


async def revoke(change: Changer, token: str) -> Response:
    """Revoke a token; it is refused within two seconds."""
    parse(EmptyBody, change.body)
    await change.run(tokens.revoke, token)
    return Response(status_code=204)
