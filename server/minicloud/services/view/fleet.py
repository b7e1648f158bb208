"""The fleet as the reconciler reads it, and the plan that it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from minicloud_core.model.reason import Reason


@dataclass(frozen=True)
class FleetVm:
    """A VM that is not deleted.

    :param observed_state: what its host last said of it: ``running stopped paused crashed``, ``absent`` when the host
        was observed and did not have it, None when the host has said nothing since the VM came there.
    :param operation: the kind of the open operation; None when there is none.
    :param settled_at: when the last operation ended; None before the first did. Observations older than that say
        nothing about now.
    :param yields_to: the VM for which it is to make room, and ``preempted_at`` when it has: since then it has no room.
    :param desired: of one without room, what is desired of it until it has some: to be off.
    :param wanted: what is desired of it once it has room.
    :param priority: the larger, the more it matters; ``number`` the smaller, the older it is.
    :param attempts: corrections since the VM last was as desired; ``not_before`` the next one is not worth it.
    """

    id: str
    name: str
    desired: str
    status: str
    host: str | None
    host_state: str | None
    operation: str | None
    observed_state: str | None
    observed_at: datetime | None
    settled_at: datetime | None
    attempts: int
    not_before: datetime | None
    yields_to: str | None = None
    preempted_at: datetime | None = None
    wanted: str = "running"
    priority: int = 0
    number: int = 0


@dataclass(frozen=True)
class FleetHost:
    """A host. ``silent_since`` is None while it answers; ``fence`` whether a fence agent is configured.

    :param fence_operation: the id of an open ``host.fence``.
    :param fence_not_before: after a fence that failed, when the next is worth it.
    """

    name: str
    state: str
    cordoned: bool
    observed_at: datetime | None
    silent_since: datetime | None
    silence_reason: str
    fence: bool
    fence_operation: str | None
    fence_not_before: datetime | None


@dataclass(frozen=True)
class FleetDomain:
    """A domain of ours that does not belong where it is: its VM lives elsewhere, or is deleted.

    :param epoch: the copy's; ``vm_epoch`` the VM's now.
    """

    host: str
    host_state: str
    uuid: str
    vm: str
    state: str
    epoch: int
    vm_epoch: int
    vm_host: str | None
    seen_at: datetime
    purge_operation: str | None


@dataclass(frozen=True)
class FleetCreate:
    """An open ``vm.create`` whose host cannot carry it out now.

    :param begun: whether any run may have acted on it: then only a host that is ``down`` makes moving it safe.
    """

    operation: str
    vm: str
    host: str
    host_state: str
    begun: bool
    created_at: datetime


@dataclass(frozen=True)
class FleetWait:
    """An open ``vm.create`` that waits for other VMs to make room for its own."""

    operation: str
    vm: str
    host: str


@dataclass(frozen=True)
class FleetState:
    """Everything the reconciler decides by, at one moment.

    :param fitting: VMs that had to make room for which there is some again, each looked at by itself.
    """

    at: datetime
    vms: tuple[FleetVm, ...] = ()
    hosts: tuple[FleetHost, ...] = ()
    domains: tuple[FleetDomain, ...] = ()
    creates: tuple[FleetCreate, ...] = ()
    waits: tuple[FleetWait, ...] = ()
    fitting: frozenset[str] = frozenset()


@dataclass(frozen=True)
class CorrectVm:
    """Queue an operation that brings a VM to its desired state.

    :param verb: ``start stop pause resume``, ``delete``, or ``define`` (make the domain again where it was, in its
        desired state).
    """

    vm: str
    verb: str
    reason: Reason


@dataclass(frozen=True)
class ReplaceCreate:
    """Place a create again, away from its host."""

    operation: str
    reason: Reason


@dataclass(frozen=True)
class PurgeDomain:
    """Remove a stale copy from a host."""

    host: str
    vm: str
    uuid: str
    reason: Reason


@dataclass(frozen=True)
class FenceHost:
    """Have a host's power cut."""

    host: str
    reason: Reason


@dataclass(frozen=True)
class TakePlace:
    """Let a create go on: all who were to make room for it have."""

    operation: str
    reason: Reason


@dataclass(frozen=True)
class GiveUp:
    """Let a create fail: somebody who was to make room for it cannot."""

    operation: str
    reason: Reason


@dataclass(frozen=True)
class Release:
    """Let a VM keep its room that was to make some for another."""

    vm: str
    reason: Reason


@dataclass(frozen=True)
class Readmit:
    """Start a VM that had to make room: there is some for it again."""

    vm: str
    reason: Reason


Intent = CorrectVm | ReplaceCreate | PurgeDomain | FenceHost | TakePlace | GiveUp | Release | Readmit


@dataclass(frozen=True)
class Plan:
    """What the reconciler wants done, in order."""

    intents: tuple[Intent, ...] = ()


@dataclass(frozen=True)
class Applied:
    """What became of an intent.

    :param operation: the operation it queued or moved; None when it was refused, or nothing was to be queued.
    :param refusal: why not: the world had moved on, or the rules forbid it; empty when it was done.
    :param request_id: of the request behind the operation; empty where there was none.
    """

    intent: Intent
    operation: str | None
    refusal: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
