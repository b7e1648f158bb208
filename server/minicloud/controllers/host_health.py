"""Hosts that fell silent: which to ask by a second path, and which to fence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from minicloud_core.model.reason import Reason

from minicloud.services.view.fleet import FenceHost, FleetHost, FleetState

# States in which a host is expected to answer.
_EXPECTED: Final = frozenset({"ready", "suspect", "fencing"})


@dataclass(frozen=True)
class Health:
    """What a look at the hosts came to.

    :param fences: hosts to fence.
    :param doubt: why nothing is done although hosts vanished; empty when there is no such doubt.
    :param held: for each suspect that is not fenced, why not.
    """

    fences: tuple[FenceHost, ...]
    doubt: str
    held: Mapping[str, str]


def silent_hosts(state: FleetState, after: timedelta) -> tuple[FleetHost, ...]:
    """Hosts that should answer and have not for ``after``: those to ask by the second path."""
    return tuple(host for host in state.hosts if host.state in _EXPECTED and _silence(host, state.at) >= after)


def judge(
    state: FleetState, answers: Mapping[str, bool], *, suspect_after: timedelta, confirm_after: timedelta
) -> Health:
    """Decide what becomes of silent hosts.

    A host is fenced when it was silent long enough to be suspected and then to be confirmed, does not answer on the
    second path either, and has a fence agent. When too many are silent at once, it is this service that is cut off.

    :param answers: for each host asked, whether it answers on the second path; one that is missing was not asked yet.
    """
    silent = silent_hosts(state, suspect_after)
    expected = sum(host.state in _EXPECTED for host in state.hosts)
    most = max(1, expected // 2)
    if len(silent) > most:
        doubt = f"{len(silent)} of {expected} hosts are silent at once: this service may be cut off itself"
        return Health((), doubt, {host.name: doubt for host in silent})
    held = {
        host.name: _why_hold(host, answers, state.at, suspect_after + confirm_after)
        for host in silent
        if host.fence_operation is None
    }
    fences = tuple(FenceHost(host.name, _why_fence(host, state.at)) for host in silent if held.get(host.name) == "")
    return Health(fences, "", {name: reason for name, reason in held.items() if reason})


def _why_hold(host: FleetHost, answers: Mapping[str, bool], now: datetime, confirmed_after: timedelta) -> str:
    """Why a silent host is not fenced now; empty when it is to be."""
    if answers.get(host.name) is not False:
        answering = host.name in answers
        return "it answers on SSH: libvirt there is in trouble" if answering else "not asked by a second path yet"
    if not host.fence:
        return "it has no fence agent, so nobody can tell whether it still runs"
    if _silence(host, now) < confirmed_after:
        return "silent, not for long enough"
    if host.fence_not_before is not None and host.fence_not_before > now:
        return f"the last fence failed; the next is due at {host.fence_not_before.isoformat(timespec='seconds')}"
    return ""


def _why_fence(host: FleetHost, now: datetime) -> Reason:
    seconds = round(_silence(host, now).total_seconds(), 1)
    message = f"{host.name} has been silent for {seconds:g} s and does not answer on SSH either: {host.silence_reason}"
    return Reason("host.silent", message, {"silent_seconds": seconds})


def _silence(host: FleetHost, now: datetime) -> timedelta:
    return timedelta() if host.silent_since is None else now - host.silent_since
