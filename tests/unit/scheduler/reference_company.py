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


def split(term: str) -> tuple[str, str]:
    """Whom a term means, and by what label of hosts it is near."""
    if "@" not in term:
        return term, "host"
    parts = term.split("@")
    return "@".join(parts[:-1]), parts[-1]


def domain(machine: Machine, by: str) -> list[Machine]:
    """The hosts that fall together with one; none when it is not known which."""
    if by == "host":
        return [machine]
    value = machine.view.labels.get(by)
    return [] if value is None else [other for other in machine.fleet if other.view.labels.get(by) == value]


def affinity(machine: Machine, request: Request) -> bool:
    for term in request.affinity:
        whom, by = split(term)
        near = domain(machine, by)
        wanted_at_all = whom.startswith("vm:") or count(machine.fleet, request, whom) > 0
        if not near or (wanted_at_all and count(near, request, whom) == 0):
            return False
    return True


def anti_affinity(machine: Machine, request: Request) -> bool:
    for term in request.anti_affinity:
        whom, by = split(term)
        near = domain(machine, by)
        if not near or count(near, request, whom):
            return False
    for other in machine.fleet:
        for vm in others(other, request):
            for term in vm.anti_affinity:
                whom, by = split(term)
                if answers(request, whom, vm.project) and machine in (domain(other, by) or [other]):
                    return False
    return True


def counted(request: Request, label: str | None) -> str | None:
    """Whom a limit counts."""
    if label is None:
        return None if request.group is None else f"group:{request.group}"
    return f"{label}={request.labels[label]}" if label in request.labels else None


def spread(machine: Machine, request: Request) -> bool:
    for limit in request.spread:
        term, near = counted(request, limit.label), domain(machine, limit.by)
        if term is not None and (not near or count(near, request, term) + 1 > limit.at_most):
            return False
    return keeps_limits_of_others(machine, request)


def keeps_limits_of_others(machine: Machine, request: Request) -> bool:
    for other in machine.fleet:
        for vm in others(other, request):
            for limit in vm.spread:
                term, near = counted(vm, limit.label), domain(other, limit.by) or [other]
                if term is None or not answers(request, term, vm.project) or machine not in near:
                    continue
                if count(near, request, term) + 1 > limit.at_most:
                    return False
    return True


def soft_affinity(machine: Machine, request: Request, moment: Moment) -> float:
    met = []
    for term in request.prefer_with:
        whom, by = split(term)
        met.append(1.0 if count(domain(machine, by), request, whom) else 0.0)
    for term in request.prefer_apart:
        whom, by = split(term)
        near = domain(machine, by)
        met.append(1 / (1 + count(near, request, whom)) if near else 0.0)
    return sum(met) / len(met)


FILTERS: Mapping[str, Callable[[Machine, Request], bool]] = {
    "affinity": affinity,
    "anti_affinity": anti_affinity,
    "spread": spread,
}
SCORERS: Mapping[str, Callable[[Machine, Request, Moment], float]] = {"soft_affinity": soft_affinity}


def has_wishes(request: Request) -> bool:
    return bool(request.prefer_with or request.prefer_apart)
