"""The description of the API (OpenAPI 3.1), as far as it does not follow from the handlers' signatures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from .output import Problem
from .problem import MEDIA_TYPE
from .routes import NOTHING, ROUTES, Answer, Route

VERSION = "1"
_REF = "#/components/schemas/{model}"
_ABOUT = """Bodies are JSON whatever content type they claim, at most 1 MiB. Every error is a problem (RFC 9457) with a
stable `code`; every answer carries `X-Request-ID`. Lists come by page: hand `next` back as `cursor`."""
_MEANINGS: Mapping[int, str] = {
    200: "As it is now.",
    201: "Made.",
    202: "Accepted; `operation` says how it goes.",
    204: "Gone.",
    206: "The range that was asked for.",
    503: "Not fit for work.",
}


def describe_responses(route: Route) -> dict[int | str, dict[str, Any]]:
    """FastAPI's ``responses`` for a route."""
    described: dict[int | str, dict[str, Any]] = {
        status: _describe(status, answer) for status, answer in route.answers.items()
    }
    problem = {"schema": {"$ref": _REF.format(model="Problem")}}
    return described | {"default": {"description": "A problem.", "content": {MEDIA_TYPE: problem}}}


def describe_body(route: Route) -> dict[str, Any]:
    """FastAPI's ``openapi_extra`` for a route: its body, which is read without FastAPI's help, and its security."""
    extra: dict[str, Any] = {} if route.public else {"security": [{"token": []}]}
    if route.body is not None:
        content = {"application/json": {"schema": {"$ref": _REF.format(model=route.body.__name__)}}}
        required = any(field.is_required() for field in route.body.model_fields.values())
        extra["requestBody"] = {"required": required, "content": content}
    return extra


def describe(app: FastAPI) -> dict[str, Any]:
    """The whole document."""
    document = get_openapi(
        title="minicloud",
        version=VERSION,
        openapi_version="3.1.0",
        summary="A small cloud control plane for libvirt hosts.",
        description=_ABOUT,
        routes=app.routes,
        license_info={"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
    )
    components = document.setdefault("components", {})
    components["schemas"] = dict(sorted({**components.get("schemas", {}), **_own_schemas()}.items()))
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "From `minicloud init` or POST /v1/tokens."}
    }
    return document


def _describe(status: int, answer: Answer) -> dict[str, Any]:
    about: dict[str, Any] = {"description": _MEANINGS[status]}
    if answer == NOTHING:
        return about
    if isinstance(answer, str):
        return {**about, "content": {answer: {"schema": {"type": "string"}}}}
    return {**about, "model": answer}


def _own_schemas() -> dict[str, Any]:
    bodies: dict[str, type[BaseModel]] = {route.body.__name__: route.body for route in ROUTES if route.body is not None}
    inputs = [(body, "validation") for body in bodies.values()]
    _references, schemas = models_json_schema([*inputs, (Problem, "serialization")], ref_template=_REF)  # type: ignore[list-item]
    definitions: dict[str, Any] = schemas["$defs"]
    return definitions
