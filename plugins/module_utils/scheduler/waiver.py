# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a request would have to go without, so that a host is what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from .host import HostView
from .request import Request


@dataclass(frozen=True)
class Waiver:
    """A request with less to ask.

    :param text: what it goes without, for people: ``without label rack=a``.
    :param count: how many things those are.
    """

    text: str
    count: int
    request: Request


def waive(rule: str, request: Request, host: HostView) -> Waiver | None:
    """What a request would have to go without for a rule to accept a host; None where that would be another request
    altogether."""
    return _WAIVERS[rule](request, host) if rule in _WAIVERS else None


def _host_labels(request: Request, host: HostView) -> Waiver:
    kept = {key: value for key, value in request.host_labels.items() if host.labels.get(key) == value}
    missing = [f"{key}={value}" for key, value in request.host_labels.items() if key not in kept]
    return _without("label", missing, replace(request, host_labels=kept))


def _architecture(request: Request, host: HostView) -> Waiver:
    return _without("architecture", [str(request.architecture)], replace(request, architecture=None))


def _machine(request: Request, host: HostView) -> Waiver:
    return _without("machine type", [str(request.machine)], replace(request, machine=None))


def _cpu_features(request: Request, host: HostView) -> Waiver:
    kept = request.cpu_features & host.cpu_features
    return _without("CPU feature", request.cpu_features - kept, replace(request, cpu_features=kept))


def _networks(request: Request, host: HostView) -> Waiver:
    kept = request.networks & (host.networks or frozenset())
    return _without("network", request.networks - kept, replace(request, networks=kept))


def _volumes(request: Request, host: HostView) -> Waiver:
    kept = request.volumes & (host.reachable_volumes or frozenset())
    return _without("volume", request.volumes - kept, replace(request, volumes=kept))


def _without(kind: str, things: Iterable[str], request: Request) -> Waiver:
    names = sorted(things)
    return Waiver(f"without {kind}{'' if len(names) == 1 else 's'} {', '.join(names)}", len(names), request)


_WAIVERS: Final[dict[str, Callable[[Request, HostView], Waiver]]] = {
    "host_labels": _host_labels,
    "architecture": _architecture,
    "machine": _machine,
    "cpu_features": _cpu_features,
    "networks": _networks,
    "volumes": _volumes,
}
