# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a request would have to go without, so that a host is what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from .arrays import np
from .host import HostView
from .kinds import Kinds
from .request import Request
from .rule import Ask

if TYPE_CHECKING:
    from .arrays import Integers

# A network, a CPU feature, a label with its value.
Name = TypeVar("Name", bound=Hashable)

# A count where it is not for the request to go without: others have said it.
NOT_ITS_OWN: Final = -1


@dataclass(frozen=True)
class Waiver:
    """A request with less to ask.

    :param text: what it goes without, for people: ``without label rack=a``.
    """

    text: str
    request: Request


@dataclass(frozen=True)
class Waiving:
    """How a request asks less, so that one rule accepts a host.

    :param counts: for each host, of how many things less; ``NOT_ITS_OWN`` where that is not for it to say.
    :param waive: what it then asks for on one row.
    """

    counts: Callable[[Ask], Integers]
    waive: Callable[[Ask, int], Waiver]


def without(kind: str, things: Iterable[str], request: Request) -> Waiver:
    """The request without things of a kind that it asked for."""
    names = sorted(things)
    return Waiver(f"without {kind}{'' if len(names) == 1 else 's'} {', '.join(names)}", request)


def total(ask: Ask, lacking: Iterable[Any]) -> Integers:
    """How often each host is among those that lack something."""
    counts: Integers = np.zeros(len(ask.fleet), dtype=np.int64)
    for mask in lacking:
        counts += mask
    return counts


def _missing(ask: Ask, hosts: Kinds[Any, frozenset[Name]], things: Iterable[Name]) -> Integers:
    """How many of some things each host has not."""
    return total(ask, (~hosts.taking(frozenset({thing})) for thing in things))


def _one(ask: Ask) -> Integers:
    return np.ones(len(ask.fleet), dtype=np.int64)


def _host(ask: Ask, row: int) -> HostView:
    return ask.fleet.hosts[row]


def _host_labels(ask: Ask, row: int) -> Waiver:
    request, labels = ask.request, _host(ask, row).labels
    kept = {key: value for key, value in request.host_labels.items() if labels.get(key) == value}
    missing = [f"{key}={value}" for key, value in request.host_labels.items() if key not in kept]
    return without("label", missing, replace(request, host_labels=kept))


def _architecture(ask: Ask, row: int) -> Waiver:
    return without("architecture", [str(ask.request.architecture)], replace(ask.request, architecture=None))


def _machine(ask: Ask, row: int) -> Waiver:
    return without("machine type", [str(ask.request.machine)], replace(ask.request, machine=None))


def _cpu_features(ask: Ask, row: int) -> Waiver:
    wanted = ask.request.cpu_features
    kept = wanted & _host(ask, row).cpu_features
    return without("CPU feature", wanted - kept, replace(ask.request, cpu_features=kept))


def _networks(ask: Ask, row: int) -> Waiver:
    wanted = ask.request.networks
    kept = wanted & (_host(ask, row).networks or frozenset())
    return without("network", wanted - kept, replace(ask.request, networks=kept))


def _volumes(ask: Ask, row: int) -> Waiver:
    wanted = ask.request.volumes
    kept = wanted & (_host(ask, row).reachable_volumes or frozenset())
    return without("volume", wanted - kept, replace(ask.request, volumes=kept))


WAIVINGS: Final = {
    "host_labels": Waiving(
        lambda ask: _missing(ask, ask.fleet.features.labels, ask.request.host_labels.items()), _host_labels
    ),
    "architecture": Waiving(_one, _architecture),
    "machine": Waiving(_one, _machine),
    "cpu_features": Waiving(
        lambda ask: _missing(ask, ask.fleet.features.cpu_features, ask.request.cpu_features), _cpu_features
    ),
    "networks": Waiving(lambda ask: _missing(ask, ask.fleet.features.networks, ask.request.networks), _networks),
    "volumes": Waiving(lambda ask: _missing(ask, ask.fleet.features.reachable_volumes, ask.request.volumes), _volumes),
}
