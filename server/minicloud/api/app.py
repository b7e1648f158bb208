"""The API as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from minicloud_core.model.errors import InputError, MinicloudError, Problem
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from .body import problem_of_validation
from .call import Room
from .middleware import RequestMiddleware
from .openapi import VERSION, describe, describe_body, describe_responses
from .problem import MalformedRequestError, MethodError, UnknownRouteError, answer_problem
from .query import known_parameters
from .routes import ROUTES, Route

# More threads than this only wait for each other: for the database's writer, and for the interpreter's lock.
THREADS: Final = 16


def create_app(room: Room | None = None) -> FastAPI:
    """Put the application together.

    :param room: what handlers work with; None for an application that only describes itself.
    """
    app = FastAPI(
        title="minicloud",
        version=VERSION,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_run,
    )
    for route in ROUTES:
        _add(app, route)
    app.add_exception_handler(MinicloudError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http)
    app.openapi = partial(_describe_once, app)  # type: ignore[method-assign]
    app.add_middleware(RequestMiddleware)
    app.state.room = room
    app.state.parameters = known_parameters(app.openapi())
    return app


def _add(app: FastAPI, route: Route) -> None:
    noun = route.endpoint.__module__.rpartition(".")[2]
    verb = route.endpoint.__name__.strip("_")
    summary, _blank, description = (route.endpoint.__doc__ or "").partition("\n\n")
    app.add_api_route(
        route.path,
        route.endpoint,
        methods=[route.method],
        operation_id=f"{noun}_{verb}",
        tags=[noun],
        summary=summary.strip().removesuffix("."),
        description=" ".join(description.split()),
        status_code=next(iter(route.answers)),
        response_model=None,
        response_class=Response,
        responses=describe_responses(route),
        openapi_extra=describe_body(route),
    )


@asynccontextmanager
async def _run(app: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    room: Room = app.state.room
    room.relay.start()
    yield
    room.relay.stop()


def _describe_once(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = describe(app)
    return app.openapi_schema


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MinicloudError)
    return answer_problem(error, request.state.request_id)


async def _answer_validation(request: Request, error: Exception) -> Response:
    """FastAPI's findings are about parameters alone: ``("query", "limit")``."""
    assert isinstance(error, RequestValidationError)
    problems = [problem_of_validation({**item, "loc": item["loc"][1:]}) for item in error.errors()]
    return await _answer_error(request, InputError([_named(problem) for problem in problems]))


def _named(problem: Problem) -> Problem:
    return problem if problem.field else Problem("request", problem.message, problem.allowed)


async def _answer_http(request: Request, error: Exception) -> Response:
    """What the router refuses by itself."""
    assert isinstance(error, HTTPException)
    path, request_id = request.url.path, request.state.request_id
    if error.status_code == 405:
        allowed = ", ".join(_methods_at(request))
        refusal = MethodError(f"{request.method} is not served at {path}", hint=f"served there: {allowed}")
        return answer_problem(refusal, request_id, {"Allow": allowed})
    if error.status_code == 404:
        hint = "the API is at /v1 and described at /v1/openapi.json"
        return answer_problem(UnknownRouteError(f"nothing is served at {path}", hint=hint), request_id)
    return answer_problem(MalformedRequestError(str(error.detail)), request_id)


def _methods_at(request: Request) -> list[str]:
    """Every method that some route takes at the request's path."""
    methods: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)
