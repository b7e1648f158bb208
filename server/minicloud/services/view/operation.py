"""Operations, claims and outcomes, as services show and take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minicloud.store.host import HostRow
from minicloud.store.operation import OperationRow
from minicloud.store.operation_event import OperationEventRow


@dataclass(frozen=True)
class OperationView:
    """An operation.

    :param host: where it is carried out; for a migration the source. None for a delete of a VM that has no host.
    :param after: operations that had to end before it could be queued.
    :param reasons: the chain of reasons, oldest first: ``{rule, message, numbers, at}``.
    :param result: what the run answered for it, once it succeeded.
    :param error: ``{code, message, field?, hint?}``, once it failed.
    :param command: the line that repeats it by hand.
    :param tries: how often it was claimed.
    :param not_before: a try is not worth it before; later than ``created_at`` after a failed try.
    """

    id: str
    kind: str
    state: str
    vm: str | None
    host: str | None
    destination: str | None
    after: tuple[str, ...]
    project: str | None
    epoch: int | None
    arguments: Mapping[str, Any]
    reasons: tuple[Mapping[str, Any], ...]
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    command: str
    tries: int
    not_before: datetime
    lease_owner: str | None
    lease_until: datetime | None
    cancel_requested: bool
    run: str | None
    actor: str
    request_id: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class OperationEventView:
    """One entry of an operation's log. ``number`` counts up over all operations."""

    number: int
    operation: str
    at: datetime
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One entry to append to an operation's log: ``kind`` such as ``task``, ``output``; ``data`` JSON-compatible."""

    at: datetime
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Connection:
    """How a run reaches a host. ``local`` for the control node itself (a fence agent runs there)."""

    name: str
    address: str
    user: str = "root"
    port: int = 22
    key_file: str | None = None
    libvirt_uri: str = ""
    local: bool = False


@dataclass(frozen=True)
class Claim:
    """A leased operation with all that its run needs.

    :param epoch: the lease's, which the module compares with the domain's.
    :param attempt: counts claims of this operation, from 1.
    :param order: ``VmOrder`` or ``MigrationOrder`` as a mapping; for ``host.fence``
        ``{id, operation, agent, options, action, timeout}``.
    :param playbook: file name in ``playbooks/``.
    :param connection: the host; for a migration the source, for ``host.fence`` the control node.
    :param destination: for a migration, the other host.
    :param image: for a migration, the VM's image as a mapping, in case the destination lacks it.
    """

    operation: str
    kind: str
    vm: str | None
    host: str
    owner: str
    epoch: int
    attempt: int
    order: Mapping[str, Any]
    playbook: str
    connection: Connection
    lease_until: datetime
    destination: Connection | None = None
    image: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Renewal:
    """What became of leases: ids of operations.

    :param kept: still the caller's, until ``lease_until``.
    :param lost: another's by now; stop the run at once and write nothing.
    :param cancelled: kept, but somebody asked to cancel: stop the run, then ``finish`` with ``Outcome.cancelled``.
    """

    kept: tuple[str, ...]
    lost: tuple[str, ...]
    cancelled: tuple[str, ...]
    lease_until: datetime


@dataclass(frozen=True)
class Outcome:
    """How a try ended. Use the constructors."""

    kind: str
    result: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)
    retry: bool = False

    @classmethod
    def succeeded(cls, result: Mapping[str, Any]) -> Outcome:
        """:param result: the module's item for this operation: ``{state, changed, before, after, …}``."""
        return cls("succeeded", result=dict(result))

    @classmethod
    def failed(cls, error: Mapping[str, Any], *, retry: bool, result: Mapping[str, Any] | None = None) -> Outcome:
        """:param error: ``{code, message, field?, hint?}``.
        :param retry: whether another try may end better.
        :param result: the item where there was one; its ``state`` (``absent`` …) says what is on the host now.
        """
        return cls("failed", error=dict(error), retry=retry, result=dict(result or {}))

    @classmethod
    def unreachable(cls, reason: str) -> Outcome:
        """The host could not be spoken to. It may have done the work all the same."""
        return cls("unreachable", error={"code": "minicloud.host.unreachable", "message": reason}, retry=True)

    @classmethod
    def cancelled(cls, reason: str = "") -> Outcome:
        """The run was stopped because somebody asked to."""
        return cls("cancelled", error={"code": "minicloud.operation.cancelled", "message": reason or "cancelled"})


def show_operation(row: OperationRow) -> OperationView:
    return OperationView(
        id=row.id,
        kind=row.kind,
        state=row.state,
        vm=row.vm,
        host=row.host,
        destination=row.destination,
        after=tuple(row.after or ()),
        project=row.project,
        epoch=row.epoch,
        arguments=row.arguments,
        reasons=tuple(row.reasons),
        result=row.result,
        error=row.error,
        command=row.command,
        tries=row.tries,
        not_before=row.not_before,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        cancel_requested=row.cancel_requested,
        run=row.run,
        actor=row.actor,
        request_id=row.request_id,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def show_operation_event(row: OperationEventRow) -> OperationEventView:
    return OperationEventView(number=row.number, operation=row.operation, at=row.at, kind=row.kind, data=row.data)


def show_connection(row: HostRow) -> Connection:
    return Connection(
        name=row.name,
        address=row.address,
        user=row.ssh_user,
        port=row.ssh_port,
        key_file=row.ssh_key_file,
        libvirt_uri=row.libvirt_uri,
    )
