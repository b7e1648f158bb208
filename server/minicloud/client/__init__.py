"""The HTTP API from Python: typed, synchronous, and nothing of the server in it."""

from __future__ import annotations

from .api import Client
from .errors import (
    AnswerError,
    ApiError,
    ClientError,
    FieldError,
    OperationFailedError,
    UnreachableError,
    WaitTimeoutError,
)
from .stream import ServerEvent

__all__ = [
    "AnswerError",
    "ApiError",
    "Client",
    "ClientError",
    "FieldError",
    "OperationFailedError",
    "ServerEvent",
    "UnreachableError",
    "WaitTimeoutError",
]
