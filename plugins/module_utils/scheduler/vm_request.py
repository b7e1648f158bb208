# Copyright (c) 2026, the minicloud authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the scheduler is asked for a VM: from its spec, and from what is asked of its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..model.errors import InputError, Problem
from ..model.scheduling import SchedulingSpec
from ..model.term import VM, join_term, split_term, vm_term
from ..model.vm import VmSpec, pool_bytes
from .conflict import conflicts
from .request import Request
from .spread import Spread

_NOTHING = SchedulingSpec()


def request_of(
    spec: VmSpec,
    *,
    project: str,
    disk_bytes: int | None = None,
    architecture: str | None = None,
    ids: Mapping[str, str] | None = None,
) -> Request:
    """What a VM of that spec asks for.

    :param disk_bytes: all its disks together, where an image adds one that the spec does not name.
    :param architecture: that of what it boots from; None for any.
    :param ids: for VMs that the spec names, their ids; see :func:`with_scheduling`.
    :raises InputError: when it asks for what contradicts itself.
    """
    pools = pool_bytes((disk.pool, disk.size) for disk in spec.disks)
    every_disk = spec.disk_bytes if disk_bytes is None else disk_bytes
    request = Request(
        cpu=spec.cpu,
        ram_mib=spec.ram_mib,
        disk_bytes=every_disk - sum(pools.values()),
        host=spec.host,
        labels=spec.labels,
        project=project,
        architecture=architecture,
        networks=frozenset(nic.network for nic in spec.nics),
        pools=pools,
        image=spec.image,
    )
    asked = with_scheduling(request, spec.scheduling, ids or {})
    check_scheduling(asked)
    return asked


def check_scheduling(request: Request) -> None:
    """:raises InputError: when a request asks for what contradicts itself; fields are those of a spec."""
    problems = conflicts(request, "scheduling")
    if problems:
        raise InputError(problems)


def with_scheduling(request: Request, asked: SchedulingSpec, ids: Mapping[str, str]) -> Request:
    """The request with what is asked of the VM's place.

    :param ids: the id of each VM that is named, by its name or its id. A VM that is not among them is gone: what was
        said of it says nothing any more.
    :raises InputError: when its priority is a class by name: only who has a policy that names it knows the number.
    """
    if asked == _NOTHING:
        return request
    return replace(
        request,
        group=asked.group,
        priority=_number(asked.priority),
        host_labels=asked.host_labels,
        cpu_features=frozenset(asked.cpu_features),
        bandwidth_mbps=asked.bandwidth_mbps,
        affinity=terms_by_id(asked.affinity, ids),
        anti_affinity=terms_by_id(asked.anti_affinity, ids),
        prefer_with=terms_by_id(asked.prefer_with, ids),
        prefer_apart=terms_by_id(asked.prefer_apart, ids),
        spread=tuple(Spread(spread.by, spread.at_most, spread.label) for spread in asked.spread),
        pinned=asked.pinned,
        machine=asked.machine,
        numa=asked.numa,
        huge_pages=asked.huge_pages,
    )


def _number(priority: int | str) -> int:
    if isinstance(priority, int):
        return priority
    allowed = "a number: classes are named by a service's policy"
    raise InputError([Problem("scheduling.priority", f"{priority} is no priority known here", allowed)])


def terms_by_id(terms: Iterable[str], ids: Mapping[str, str]) -> tuple[str, ...]:
    """The terms with VMs by their ids, each once: a VM may have been named both ways.

    :param ids: the id of each VM, by its name and its id. What is said of one that is not known says nothing any more.
    """
    named = (_term_by_id(term, ids) for term in terms)
    return tuple(dict.fromkeys(term for term in named if term is not None))


def _term_by_id(term: str, ids: Mapping[str, str]) -> str | None:
    whom, by = split_term(term)
    if not whom.startswith(VM):
        return join_term(whom, by)
    vm = ids.get(whom.removeprefix(VM))
    return None if vm is None else join_term(vm_term(vm), by)
