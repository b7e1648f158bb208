"""Exit codes: the one table from what went wrong to the number that a script sees."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from minicloud.client import OperationFailedError
from minicloud.client.errors import ClientError


class ExitCode(IntEnum):
    """What the command ends with. 2 is also what the command line's own parser ends with."""

    OK = 0
    UNEXPECTED = 1
    INPUT = 2
    NOT_FOUND = 3
    AUTH = 4
    CONFLICT = 5
    NO_CAPACITY = 6
    UNREACHABLE = 7
    FAILED = 8
    TIMEOUT = 9
    INTERRUPTED = 130


# By the longest prefix of the error's code that is listed; codes are append-only, so is this.
BY_CODE: Final[dict[str, ExitCode]] = {
    "minicloud.internal": ExitCode.UNEXPECTED,
    "minicloud.input": ExitCode.INPUT,
    "minicloud.http": ExitCode.INPUT,
    "minicloud.image": ExitCode.INPUT,
    "minicloud.idempotency": ExitCode.INPUT,
    "minicloud.resource.not_found": ExitCode.NOT_FOUND,
    "minicloud.auth": ExitCode.AUTH,
    "minicloud.resource.conflict": ExitCode.CONFLICT,
    "minicloud.vm": ExitCode.CONFLICT,
    "minicloud.state": ExitCode.CONFLICT,
    "minicloud.operation": ExitCode.CONFLICT,
    "minicloud.host.no_capacity": ExitCode.NO_CAPACITY,
    "minicloud.project.quota_exceeded": ExitCode.NO_CAPACITY,
    "minicloud.batch": ExitCode.NO_CAPACITY,
    "minicloud.service.unavailable": ExitCode.UNREACHABLE,
    "minicloud.client.unreachable": ExitCode.UNREACHABLE,
    "minicloud.client.bad_answer": ExitCode.UNREACHABLE,
    "minicloud.client.wait_timeout": ExitCode.TIMEOUT,
    "minicloud.hypervisor": ExitCode.FAILED,
    "minicloud.host.fence_failed": ExitCode.FAILED,
}


def exit_code_of(error: ClientError) -> ExitCode:
    """The exit code of an error. What an operation ended with is always ``FAILED``: the request itself was in order."""
    return ExitCode.FAILED if isinstance(error, OperationFailedError) else exit_code_for(error.code)


def exit_code_for(code: str) -> ExitCode:
    """The exit code of an error's code."""
    parts = code.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((BY_CODE[prefix] for prefix in prefixes if prefix in BY_CODE), ExitCode.UNEXPECTED)
