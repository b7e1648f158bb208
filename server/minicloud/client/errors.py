"""What can go wrong between a caller and the service, and what the service itself said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong, as the service named it. ``allowed`` says what would be right; it may be empty."""

    field: str
    message: str
    allowed: str = ""


class ClientError(Exception):
    """Base of everything that a call may raise.

    :param message: what happened and where.
    :param code: a stable dotted code; ``minicloud.client.*`` where the service had no say.
    :param hint: what would be right; may be empty.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint

    def to_mapping(self) -> dict[str, Any]:
        """The error as JSON, for programs that read ``--output json``."""
        mapping = {"code": self.code, "message": self.message}
        return {**mapping, "hint": self.hint} if self.hint else mapping


class UnreachableError(ClientError):
    """Nobody answered, or the connection broke every time it was tried."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url} does not answer: {reason}",
            code="minicloud.client.unreachable",
            hint="start the service with `minicloud serve`, or name another with --url or MINICLOUD_URL",
        )


class AnswerError(ClientError):
    """Something answered that is not minicloud."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"{url} answered something that is not minicloud's: {reason}",
            code="minicloud.client.bad_answer",
            hint="check --url or MINICLOUD_URL",
        )


class WaitTimeoutError(ClientError):
    """The operation did not end in the time that the caller would wait. It goes on by itself."""

    def __init__(self, operation: str, seconds: float, state: str) -> None:
        super().__init__(
            f"operation {operation} is still {state} after {seconds:.0f} s; it goes on by itself",
            code="minicloud.client.wait_timeout",
            hint=f"minicloud op wait {operation}",
        )
        self.operation = operation


class OperationFailedError(ClientError):
    """The operation ended, and not well. ``operation`` is the service's own account of it."""

    def __init__(self, operation: Mapping[str, Any]) -> None:
        error: Mapping[str, Any] = operation.get("error") or {}
        what = error.get("message") or f"it ended {operation['state']}"
        super().__init__(
            f"operation {operation['id']} ({operation['kind']}) did not succeed: {what}",
            code=error.get("code") or f"minicloud.operation.{operation['state']}",
            hint=error.get("hint") or f"minicloud op log {operation['id']}",
        )
        self.operation = operation


class ApiError(ClientError):
    """The service refused, with problem+json (RFC 9457).

    :param status: the HTTP status.
    :param problem: the body as it came; its ``details`` are numbers for programs.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(
            str(problem.get("detail") or problem.get("title") or f"HTTP status {status}"),
            code=str(problem.get("code") or "minicloud.internal"),
            hint=str(problem.get("hint") or ""),
        )
        self.status = status
        self.title = str(problem.get("title") or "")
        self.request_id = str(problem.get("request_id") or "")
        self.errors = tuple(
            FieldError(str(item.get("field", "")), str(item.get("message", "")), str(item.get("allowed") or ""))
            for item in problem.get("errors") or ()
        )
        self.details: dict[str, Any] = dict(problem.get("details") or {})
        self.problem = dict(problem)

    def to_mapping(self) -> dict[str, Any]:
        return self.problem
