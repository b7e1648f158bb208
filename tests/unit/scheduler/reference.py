"""The scheduler's rules once more, one host at a time and in the plainest words, to hold the real ones against.

No NumPy, nothing kept, nothing taken from the scheduler but the words in which fleets, requests and policies are told.
Numbers are fractions, so that nothing here is rounded. A rule that is changed on purpose is changed here by hand too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from itertools import combinations

import pytest
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request, Shape

Shares = Sequence[tuple[Shape, float]]
Nodes = tuple[int, ...]


def exact(number: float) -> Fraction:
    """The number that was written: 0.1 is a tenth."""
    return Fraction(str(number))


@dataclass(frozen=True)
class Room:
    """What is left: virtual CPUs and MiB of the whole host and of each NUMA node."""

    cpu: Fraction
    ram: int
    nodes: tuple[tuple[Fraction, int], ...]

    def less(self, request: Request, nodes: Nodes) -> Room:
        left = list(self.nodes)
        for node in nodes:
            cpu, ram = left[node]
            left[node] = (cpu - part(request)[0], ram - part(request)[1])
        return Room(self.cpu - exact(request.cpu), self.ram - request.ram_mib, tuple(left))


def part(request: Request) -> tuple[Fraction, int]:
    """What a VM of several NUMA nodes wants of each; a MiB that cannot be halved is needed on both."""
    ram, over = divmod(request.ram_mib, request.numa)
    return exact(request.cpu) / request.numa, ram + 1 if over else ram


@dataclass
class Machine:
    """A host by a policy's figures, with the VMs that lie on it."""

    view: HostView
    limits: Limits
    vms: list[tuple[Request, Nodes]] = field(default_factory=list)

    @property
    def overcommit(self) -> Fraction:
        own = self.view.cpu_overcommit
        return exact(self.limits.cpu_overcommit if own is None else own)

    @property
    def cpu_limit(self) -> Fraction:
        """Whole virtual CPUs."""
        return Fraction(int(exact(self.view.cpu) * self.overcommit))

    @property
    def ram_limit(self) -> int:
        own = self.view.ram_reserved_mib
        return max(0, self.view.ram_mib - (self.limits.ram_reserved_mib if own is None else own))

    @property
    def disk_free(self) -> int:
        return self.view.disk_bytes - self.view.allocated_disk_bytes - sum(vm.disk_bytes for vm, _nodes in self.vms)

    def room(self) -> Room:
        room = Room(
            self.cpu_limit - exact(self.view.allocated_cpu),
            self.ram_limit - self.view.allocated_ram_mib,
            tuple((exact(node.cpu) * self.overcommit, node.ram_mib) for node in self.view.numa),
        )
        for request, nodes in self.vms:
            room = room.less(request, nodes)
        return room


# Filters: True where a host will do.


def ready(machine: Machine, request: Request) -> bool:
    return machine.view.state == "ready"


def cordon(machine: Machine, request: Request) -> bool:
    return not machine.view.cordoned


def requested(machine: Machine, request: Request) -> bool:
    return request.host is None or request.host == machine.view.id


def excluded(machine: Machine, request: Request) -> bool:
    return machine.view.id not in request.exclude


def cpu(machine: Machine, request: Request) -> bool:
    return machine.room().cpu >= exact(request.cpu)


def memory(machine: Machine, request: Request) -> bool:
    return machine.room().ram >= request.ram_mib


def numa(machine: Machine, request: Request) -> bool:
    if not request.numa:
        return True
    room = machine.room()
    return [node_takes(room, request, node) for node in range(len(room.nodes))].count(True) >= request.numa


def disk(machine: Machine, request: Request) -> bool:
    return request.disk_bytes == 0 or machine.disk_free >= request.disk_bytes


def node_takes(room: Room, request: Request, node: int) -> bool:
    cpu_free, ram_free = room.nodes[node]
    return cpu_free >= part(request)[0] and ram_free >= part(request)[1]


FILTERS: Mapping[str, Callable[[Machine, Request], bool]] = {
    "ready": ready,
    "cordon": cordon,
    "requested": requested,
    "excluded": excluded,
    "cpu": cpu,
    "memory": memory,
    "numa": numa,
    "disk": disk,
}


# Slots: really put VMs of a shape on a host, one after another, until the next one finds no place.


@cache
def slots(room: Room, shape: Shape) -> int:
    """How many VMs of a shape fit. On a host of whose nodes nothing is known, as if they did not care for nodes."""
    shape_cpu, shape_ram, shape_numa = shape
    vm = Request(shape_cpu, shape_ram, numa=shape_numa if room.nodes else 0)
    count = 0
    while True:
        nodes = roomiest(room, vm)
        if nodes is None or room.cpu < exact(vm.cpu) or room.ram < vm.ram_mib:
            return count
        room = room.less(vm, nodes)
        count += 1


def roomiest(room: Room, vm: Request) -> Nodes | None:
    """The nodes that could take the most parts of such VMs: what is kept even lasts longest."""
    if not vm.numa:
        return ()
    fitting = [node for node in range(len(room.nodes)) if node_takes(room, vm, node)]
    if len(fitting) < vm.numa:
        return None
    return tuple(sorted(fitting, key=lambda node: -parts_left(room, vm, node))[: vm.numa])


def parts_left(room: Room, vm: Request, node: int) -> int:
    (cpu_free, ram_free), (cpu_part, ram_part) = room.nodes[node], part(vm)
    counts = [cpu_free // cpu_part] if cpu_part else []
    counts += [ram_free // ram_part] if ram_part else []
    return int(min(counts))


@cache
def slots_by_search(room: Room, shape: Shape) -> int:
    """The same by trying every choice of nodes for every VM: for small numbers alone."""
    shape_cpu, shape_ram, shape_numa = shape
    vm = Request(shape_cpu, shape_ram, numa=shape_numa)
    if room.cpu < exact(vm.cpu) or room.ram < vm.ram_mib:
        return 0
    most = 0
    for nodes in node_choices(room, vm):
        if all(node_takes(room, vm, node) for node in nodes):
            most = max(most, 1 + slots_by_search(room.less(vm, nodes), shape))
    return most


def node_choices(room: Room, request: Request) -> list[Nodes]:
    return list(combinations(range(len(room.nodes)), request.numa)) if request.numa else [()]


def slot_weights(machines: Sequence[Machine], shares: Shares) -> list[float]:
    """A shape's share, over what is left of it in the fleet as the next power of two, to the power of 1.5."""
    weights = []
    for shape, share in shares:
        left = sum(slots(machine.room(), shape) for machine in machines)
        power = 1
        while power <= left:
            power *= 2
        weights.append(share / power**1.5 if left else 0.0)
    total = sum(weights)
    return [weight / total if total else 0.0 for weight in weights]


def slots_lost(machine: Machine, request: Request, nodes: Nodes, shares: Shares, weights: Sequence[float]) -> float:
    """Slots that a host would lose if the VM came to lie on those nodes, weighted."""
    before = machine.room()
    after = before.less(request, nodes)
    return sum(
        weight * (slots(before, shape) - slots(after, shape))
        for (shape, _share), weight in zip(shares, weights, strict=True)
    )


def node_costs(
    machine: Machine, request: Request, shares: Shares, weights: Sequence[float]
) -> list[tuple[float, Fraction, Nodes]]:
    """Each set of nodes that the VM could lie on: slots lost, virtual CPUs left on them before, the nodes."""
    room = machine.room()
    left = {nodes: sum((room.nodes[node][0] for node in nodes), Fraction()) for nodes in node_choices(room, request)}
    return [
        (slots_lost(machine, request, nodes, shares, weights), left[nodes], nodes)
        for nodes in node_choices(room, request)
        if all(node_takes(room, request, node) for node in nodes)
    ]


# Scorers: 0 to 1, of a host that will do.


@dataclass(frozen=True)
class Moment:
    """What scorers know beside the host and the request."""

    now: float
    shares: Shares
    weights: Sequence[float]


def free_cpu(machine: Machine, request: Request, moment: Moment) -> float:
    left = machine.room().cpu - exact(request.cpu)
    return share_of(left, machine.cpu_limit)


def free_memory(machine: Machine, request: Request, moment: Moment) -> float:
    left = machine.room().ram - request.ram_mib
    return share_of(left, Fraction(machine.ram_limit))


def share_of(left: Fraction, limit: Fraction) -> float:
    return float(left / limit) if limit else 0.0


def load(machine: Machine, request: Request, moment: Moment) -> float:
    measured, at = machine.view.load, machine.view.load_at
    if measured is None or at is None or exact(moment.now) - exact(at) > exact(machine.limits.load_fresh_seconds):
        return 0.5
    return 1 - measured


def pack(machine: Machine, request: Request, moment: Moment) -> float:
    return max(1 - free_cpu(machine, request, moment), 1 - free_memory(machine, request, moment))


def balance(machine: Machine, request: Request, moment: Moment) -> float:
    return 1 - abs(free_cpu(machine, request, moment) - free_memory(machine, request, moment))


def fragmentation(machine: Machine, request: Request, moment: Moment) -> float:
    return 1 / (1 + min(cost for cost, _left, _nodes in node_costs(machine, request, moment.shares, moment.weights)))


SCORERS: Mapping[str, Callable[[Machine, Request, Moment], float]] = {
    "free_cpu": free_cpu,
    "free_memory": free_memory,
    "load": load,
    "pack": pack,
    "balance": balance,
    "fragmentation": fragmentation,
}


# The decision.


@dataclass(frozen=True)
class Answer:
    """Refused hosts with the rules that refuse them, accepted ones with their parts and score."""

    refused: Mapping[str, tuple[str, ...]]
    parts: Mapping[str, Mapping[str, float]]
    scores: Mapping[str, float]


def fill(machines: Sequence[Machine]) -> Fraction:
    """The share of virtual CPUs or of memory that is promised on hosts that are ready, whichever is larger."""
    there = [machine for machine in machines if machine.view.state == "ready"]
    cpu_limit = sum((machine.cpu_limit for machine in there), Fraction())
    ram_limit = sum(machine.ram_limit for machine in there)
    cpu_used = cpu_limit - sum((machine.room().cpu for machine in there), Fraction())
    ram_used = ram_limit - sum(machine.room().ram for machine in there)
    shares = ((cpu_used, cpu_limit), (Fraction(ram_used), Fraction(ram_limit)))
    return max(used / limit if limit else Fraction(1) for used, limit in shares)


def weights_of(policy: Policy, machines: Sequence[Machine]) -> Mapping[str, float]:
    return policy.weights_full if min(Fraction(1), fill(machines)) >= exact(policy.turn_at) else policy.weights


def decide(machines: Sequence[Machine], request: Request, policy: Policy, shares: Shares, now: float) -> Answer:
    weights = weights_of(policy, machines)
    wanted = slot_weights(machines, shares) if "fragmentation" in weights else []
    moment = Moment(now, shares, wanted)
    refused, parts, scores = {}, {}, {}
    for machine in machines:
        name = machine.view.id
        against = tuple(rule for rule in policy.filters if not FILTERS[rule](machine, request))
        if against:
            refused[name] = against
            continue
        # Without its filter a rule may not hold, and what is over a host's limit counts as its limit.
        parts[name] = {scorer: min(1.0, max(0.0, SCORERS[scorer](machine, request, moment))) for scorer in weights}
        total = sum(weights.values())
        scores[name] = sum(weights[scorer] * value for scorer, value in parts[name].items()) / total if total else 0.0
    return Answer(refused, parts, scores)


# Scores are compared rounded to nine digits: hosts nearer to each other than that are alike.
NEAR = 2e-9


def check(decision: Decision, answer: Answer) -> None:
    """Hold a decision against the plain reading."""
    assert {one.host: tuple(reason.rule for reason in one.reasons) for one in decision.refused} == answer.refused
    assert {one.host for one in decision.accepted} == set(answer.parts)
    for one in decision.accepted:
        assert {part.scorer: part.value for part in one.parts} == pytest.approx(answer.parts[one.host], abs=1e-9)
        assert one.score == pytest.approx(answer.scores[one.host], abs=NEAR)
    check_choice(decision.host, answer)


def check_choice(host: str | None, answer: Answer) -> None:
    if not answer.scores:
        assert host is None
        return
    assert host is not None
    best = max(answer.scores.values())
    near = [name for name, score in answer.scores.items() if score >= best - NEAR]
    assert host in near
    assert not [name for name in near if name < host and answer.scores[name] >= answer.scores[host]]
