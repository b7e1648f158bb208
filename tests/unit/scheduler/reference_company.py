"""The rules about other VMs once more, in the plainest words: every VM is looked at, one by one. See ``reference``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from minicloud_core.scheduler.request import Request

if TYPE_CHECKING:
    from tests.unit.scheduler.reference import Machine, Moment


def answers(vm: Request, term: str, project: str) -> bool:
    """Whether a VM is one of those whom somebody of a project means by a term."""
    if term.startswith("vm:"):
        return term == f"vm:{vm.vm}"
    if vm.project != project:
        return False
    if term.startswith("group:"):
        return term == f"group:{vm.group}"
    key, value = term.split("=", 1)
    return vm.labels.get(key) == value


def others(machine: Machine, request: Request) -> list[Request]:
    """The VMs on a host. One that is asked about although it is there already is no company to itself."""
    return [vm for vm, _nodes in machine.vms if vm.vm is None or vm.vm != request.vm]


def count(machines: Sequence[Machine], request: Request, term: str) -> int:
    return sum(answers(vm, term, request.project) for machine in machines for vm in others(machine, request))


def affinity(machine: Machine, request: Request) -> bool:
    for term in request.affinity:
        wanted_at_all = term.startswith("vm:") or count(machine.fleet, request, term) > 0
        if wanted_at_all and count([machine], request, term) == 0:
            return False
    return True


def anti_affinity(machine: Machine, request: Request) -> bool:
    for vm in others(machine, request):
        if any(answers(vm, term, request.project) for term in request.anti_affinity):
            return False
        if any(answers(request, term, vm.project) for term in vm.anti_affinity):
            return False
    return True


def spread(machine: Machine, request: Request) -> bool:
    for limit in request.spread:
        if limit.label is None:
            term = None if request.group is None else f"group:{request.group}"
        else:
            term = f"{limit.label}={request.labels[limit.label]}" if limit.label in request.labels else None
        if term is None:
            continue
        domain = [other for other in machine.fleet if limit.by in other.view.labels]
        domain = [other for other in domain if other.view.labels[limit.by] == machine.view.labels.get(limit.by)]
        if limit.by == "host":
            domain = [machine]
        if not domain or count(domain, request, term) + 1 > limit.at_most:
            return False
    return True


def soft_affinity(machine: Machine, request: Request, moment: Moment) -> float:
    met = [1.0 if count([machine], request, term) else 0.0 for term in request.prefer_with]
    met += [1 / (1 + count([machine], request, term)) for term in request.prefer_apart]
    return sum(met) / len(met)


FILTERS: Mapping[str, Callable[[Machine, Request], bool]] = {
    "affinity": affinity,
    "anti_affinity": anti_affinity,
    "spread": spread,
}
SCORERS: Mapping[str, Callable[[Machine, Request, Moment], float]] = {"soft_affinity": soft_affinity}


def has_wishes(request: Request) -> bool:
    return bool(request.prefer_with or request.prefer_apart)
