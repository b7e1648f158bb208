# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Errors without a transport.

Each class owns one code. Codes are append-only: a client may match on them for ever. HTTP status, ``fail_json`` and
exit codes are derived from the class once, at each edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one field.

    :param field: dotted path of the field, ``disks.0.size``.
    :param message: what is wrong.
    :param allowed: what would be right; empty when there is nothing to suggest.
    """

    field: str
    message: str
    allowed: str = ""

    def to_mapping(self) -> dict[str, str]:
        mapping = {"field": self.field, "message": self.message}
        return {**mapping, "allowed": self.allowed} if self.allowed else mapping


class MinicloudError(Exception):
    """Base of all errors that a user may see.

    :param message: what happened and where, one sentence.
    :param hint: what would be right.
    :param details: further numbers for programs; JSON-compatible.
    """

    code = "minicloud.internal"
    title = "Something went wrong inside minicloud"

    def __init__(self, message: str, *, hint: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details: dict[str, Any] = dict(details or {})

    @property
    def problems(self) -> Sequence[Problem]:
        return ()

    def to_mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            mapping["hint"] = self.hint
        if self.details:
            mapping["details"] = self.details
        if self.problems:
            mapping["errors"] = [problem.to_mapping() for problem in self.problems]
        return mapping


class InputError(MinicloudError):
    """The request cannot be understood; every field that is wrong is named at once."""

    code = "minicloud.input.invalid"
    title = "The request is not valid"

    def __init__(self, problems: Sequence[Problem], *, message: str = "") -> None:
        super().__init__(message or "; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self._problems = tuple(problems)

    @property
    def problems(self) -> Sequence[Problem]:
        return self._problems


class NotFoundError(MinicloudError):
    """The thing does not exist, or is not the caller's to see."""

    code = "minicloud.resource.not_found"
    title = "No such resource"


class UnauthenticatedError(MinicloudError):
    code = "minicloud.auth.unauthenticated"
    title = "A valid token is needed"


class ForbiddenError(MinicloudError):
    code = "minicloud.auth.forbidden"
    title = "The token does not allow this"


class ConflictError(MinicloudError):
    """The request contradicts what exists."""

    code = "minicloud.resource.conflict"
    title = "The request contradicts what exists"


class SpecConflictError(ConflictError):
    """A VM of that name exists with another spec; ``details["differences"]`` says where."""

    code = "minicloud.vm.exists_with_other_spec"
    title = "A VM of that name exists with another spec"


class BusyError(ConflictError):
    code = "minicloud.vm.busy"
    title = "Another operation is under way"


class IdempotencyError(MinicloudError):
    code = "minicloud.idempotency.key_reused"
    title = "The Idempotency-Key was used with another request"


class TransitionError(ConflictError):
    """A state machine refused a move."""

    code = "minicloud.state.illegal_transition"
    title = "That is not possible in this state"


class NoCapacityError(MinicloudError):
    """No host can take the VM; ``details["hosts"]`` has each host's reason."""

    code = "minicloud.host.no_capacity"
    title = "No host can take this VM"


class BatchError(MinicloudError):
    """Of a batch, or of a group of it, not all may be, and so none is made."""

    code = "minicloud.batch.refused"
    title = "What is made all or none cannot be made"


class QuotaError(MinicloudError):
    code = "minicloud.project.quota_exceeded"
    title = "The project's quota does not allow this"


class LeaseLostError(ConflictError):
    """The caller's epoch is no longer the operation's: another run took over."""

    code = "minicloud.operation.lease_lost"
    title = "Another run has taken this operation over"


class StaleEpochError(ConflictError):
    """A host holds the VM at a later epoch than the order's."""

    code = "minicloud.operation.stale_epoch"
    title = "The order is older than what the host has"


class UnavailableError(MinicloudError):
    code = "minicloud.service.unavailable"
    title = "The service cannot answer now"


class TooLargeError(MinicloudError):
    code = "minicloud.input.too_large"
    title = "The request is too large"


class HypervisorError(MinicloudError):
    """libvirt or QEMU refused; the message carries their words."""

    code = "minicloud.hypervisor.failed"
    title = "The hypervisor refused"


class HypervisorTimeoutError(HypervisorError):
    code = "minicloud.hypervisor.timeout"
    title = "The hypervisor did not finish in time"


class UnmanagedError(ConflictError):
    """A domain that minicloud did not make stands in the way; it is never touched."""

    code = "minicloud.hypervisor.unmanaged_domain"
    title = "A domain that minicloud did not make stands in the way"


class ImageError(MinicloudError):
    code = "minicloud.image.unusable"
    title = "The image cannot be used"


class FenceError(MinicloudError):
    code = "minicloud.host.fence_failed"
    title = "The host could not be fenced"


def read_error(mapping: Mapping[str, Any]) -> MinicloudError:
    """The error of that code: the inverse of ``MinicloudError.to_mapping``."""
    kind = _KINDS.get(mapping["code"], MinicloudError)
    if issubclass(kind, InputError):
        problems = [Problem(**problem) for problem in mapping.get("errors", ())]
        return kind(problems, message=mapping["message"])
    return kind(mapping["message"], hint=mapping.get("hint", ""), details=mapping.get("details"))


def _below(kind: type[MinicloudError]) -> Iterator[type[MinicloudError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


_KINDS: Final = {kind.code: kind for kind in _below(MinicloudError)}
