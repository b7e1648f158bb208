"""Errors as problem+json (RFC 9457): the one place where an error's class becomes a status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from minicloud_core.model import errors
from starlette.responses import Response

from minicloud.services.view.operation import OperationView

MEDIA_TYPE: Final = "application/problem+json"

# An echoed value may be as long as the body that held it; nobody reads more than this.
_TEXT_LIMIT: Final = 1000


class MalformedBodyError(errors.MinicloudError):
    """The bytes of the body are not JSON."""

    code = "minicloud.input.malformed"
    title = "The body is not JSON"


class MalformedRequestError(errors.MinicloudError):
    """The request line or a header cannot be read."""

    code = "minicloud.http.malformed"
    title = "The request cannot be read"


class UnknownRouteError(errors.MinicloudError):
    code = "minicloud.http.no_such_route"
    title = "Nothing is served there"


class MethodError(errors.MinicloudError):
    code = "minicloud.http.method_not_allowed"
    title = "That method is not served there"


class OperationError(errors.MinicloudError):
    """The operation that was waited for did not succeed; code and message are its own."""

    title = "The operation did not succeed"

    def __init__(self, operation: OperationView) -> None:
        error: Mapping[str, Any] = operation.error or {}
        super().__init__(
            str(error.get("message") or f"operation {operation.id} ended {operation.state}"),
            hint=str(error.get("hint") or ""),
            details={**(error.get("details") or {}), "operation": operation.id, "vm": operation.vm},
        )
        self.code = str(error.get("code") or f"minicloud.operation.{operation.state}")
        self.cancelled = operation.state == "cancelled"


# The nearest class in the error's ancestry counts, so a new kind of conflict is a 409 without a line here.
STATUS: Final[dict[type[errors.MinicloudError], int]] = {
    MalformedBodyError: 400,
    MalformedRequestError: 400,
    errors.UnauthenticatedError: 401,
    errors.ForbiddenError: 403,
    errors.QuotaError: 403,
    UnknownRouteError: 404,
    errors.NotFoundError: 404,
    MethodError: 405,
    errors.ConflictError: 409,
    errors.NoCapacityError: 409,
    errors.BatchError: 409,
    errors.TooLargeError: 413,
    errors.InputError: 422,
    errors.IdempotencyError: 422,
    errors.ImageError: 422,
    errors.HypervisorError: 502,
    errors.FenceError: 502,
    errors.UnavailableError: 503,
    errors.HypervisorTimeoutError: 504,
    errors.MinicloudError: 500,
}

_HEADERS: Final[dict[int, dict[str, str]]] = {
    401: {"WWW-Authenticate": 'Bearer realm="minicloud"'},
    503: {"Retry-After": "1"},
}


def status_of(error: errors.MinicloudError) -> int:
    """The HTTP status that says what ``error`` says."""
    if isinstance(error, OperationError):
        return 409 if error.cancelled else _status_of_code(error.code)
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem_of(error: errors.MinicloudError, request_id: str) -> dict[str, Any]:
    """The problem document of an error."""
    document: dict[str, Any] = {
        "type": f"urn:minicloud:error:{error.code}",
        "title": error.title,
        "status": status_of(error),
        "detail": _clip(error.message),
        "code": error.code,
        "request_id": request_id,
    }
    if error.hint:
        document["hint"] = _clip(error.hint)
    if error.problems:
        document["errors"] = [_clip_values(problem.to_mapping()) for problem in error.problems]
    if error.details:
        document["details"] = error.details
    return document


def answer_problem(error: errors.MinicloudError, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    """The whole answer to a request that failed with ``error``."""
    document = problem_of(error, request_id)
    status = document["status"]
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=str).encode(errors="replace")
    return Response(content, status, {**_HEADERS.get(status, {}), **(headers or {})}, MEDIA_TYPE)


def _status_of_code(code: str) -> int:
    """The status of the error class that owns a code; what only hosts report counts as their failure."""
    return next((status for kind, status in STATUS.items() if kind.code == code), 502)


def _clip(text: str) -> str:
    return text if len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + "…"


def _clip_values(mapping: Mapping[str, str]) -> dict[str, str]:
    return {key: _clip(value) for key, value in mapping.items()}
