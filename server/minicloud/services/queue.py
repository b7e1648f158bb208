"""How operations come into being."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from minicloud_core.model.reason import Reason

from minicloud.store.operation import OperationRow
from minicloud.store.vm import VmRow

from . import identifier
from .state import Deed, emit_operation, explain_operation

# What must not wait behind ordinary work: cutting a dead host's power, ridding a returned one of stale copies.
PRIORITIES: Final = {"host.fence": 0, "domain.purge": 5}
ORDINARY: Final = 10
# The rule that is the reason of a stop by which a VM makes room for another.
MAKES_ROOM: Final = "preemption"


@dataclass(frozen=True)
class Draft:
    """An operation to be.

    :param exclusive: whether it takes its VM for itself.
    :param previous: the VM's ``status`` and ``desired`` before, for taking the operation back.
    :param reason: the first link in its chain of reasons; None for somebody's plain wish.
    :param after: operations that have to end before it is queued; None when nobody is to be waited for.
    """

    kind: str
    host: str | None
    command: str
    vm: VmRow | None = None
    destination: str | None = None
    exclusive: bool = True
    arguments: Mapping[str, Any] = field(default_factory=dict)
    previous: Mapping[str, Any] = field(default_factory=dict)
    reason: Reason | None = None
    after: Sequence[str] | None = None


def enqueue(deed: Deed, draft: Draft) -> OperationRow:
    """Write an operation, queued. Its VM's row is locked by the caller, or new in this transaction."""
    row = draft_row(deed, draft)
    # What it refers to goes first; the row itself waits for its chain of reasons, and is written once.
    deed.session.flush()
    deed.session.add(row)
    announce(deed, row, draft.reason)
    return row


def draft_row(deed: Deed, draft: Draft) -> OperationRow:
    """An operation, queued or waiting, yet to be written; the VM that it takes for itself knows of it."""
    row = OperationRow(
        id=identifier.operation_id(deed.at, deed.ctx.entropy),
        kind=draft.kind,
        state="queued" if draft.after is None else "waiting",
        after=None if draft.after is None else [*draft.after],
        exclusive=draft.exclusive,
        priority=PRIORITIES.get(draft.kind, ORDINARY),
        vm=None if draft.vm is None else draft.vm.id,
        host=draft.host,
        destination=draft.destination,
        project=None if draft.vm is None else draft.vm.project,
        arguments=dict(draft.arguments),
        previous=dict(draft.previous),
        reasons=[],
        command=draft.command,
        actor=deed.actor,
        request_id=deed.request_id,
        not_before=deed.at,
        created_at=deed.at,
        tries=0,
        begun=False,
        cancel_requested=False,
    )
    if draft.vm is not None and draft.exclusive:
        draft.vm.operation = row.id
    return row


def announce(deed: Deed, row: OperationRow, reason: Reason | None = None) -> None:
    """Tell of an operation that is new.

    :param reason: the first link in its chain of reasons; None for somebody's plain wish.
    """
    reason = reason or Reason("request", f"{deed.actor} asked for it")
    emit_operation(deed, row, "operation.state", reason.message, {"from": None, "to": row.state})
    explain_operation(deed, row, reason)
