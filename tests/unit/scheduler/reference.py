"""The scheduler's rules once more, one host at a time and in the plainest words, to hold the real ones against.

No NumPy, nothing kept, nothing taken from the scheduler but the words in which fleets, requests and policies are told.
Numbers are fractions, so that nothing here is rounded. A rule that is changed on purpose is changed here by hand too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from itertools import combinations
from math import floor

import pytest
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import Policy
from minicloud_core.scheduler.request import Request, Shape

from tests.unit.scheduler import reference_company, reference_failure

Shares = Sequence[tuple[Shape, float]]
Nodes = tuple[int, ...]


def exact(number: float) -> Fraction:
    """The number that was written: 0.1 is a tenth."""
    return Fraction(str(number))


@dataclass(frozen=True)
class Room:
    """What is left of a host.

    ``threads`` nobody has for himself, and ``shared`` virtual CPUs are promised on them. ``nodes`` are virtual CPUs,
    MiB and MiB in huge pages of each NUMA node; ``ram`` and ``huge`` those of the host.
    """

    threads: Fraction
    shared: Fraction
    limit: Fraction
    overcommit: Fraction
    ram: int
    huge: int
    nodes: tuple[tuple[Fraction, int, int], ...]

    @property
    def cpu(self) -> Fraction:
        """Virtual CPUs that may still be promised to who shares threads."""
        return self.limit - self.shared

    def less(self, request: Request, nodes: Nodes) -> Room:
        left = list(self.nodes)
        for node in nodes:
            cpu, ram, huge = left[node]
            cpu -= part(request)[0] * self.thread(request)
            ram, huge = (ram, huge - part(request)[1]) if request.huge_pages else (ram - part(request)[1], huge)
            left[node] = (cpu, ram, huge)
        ram, huge = (self.ram, self.huge) if request.huge_pages else (self.ram - request.ram_mib, self.huge)
        room = replace(self, ram=ram, huge=huge - request.ram_mib * request.huge_pages, nodes=tuple(left))
        wanted = exact(request.cpu)
        return room.less_threads(wanted) if request.pinned else replace(room, shared=self.shared + wanted)

    def less_threads(self, count: Fraction) -> Room:
        """Without threads that somebody has for himself."""
        threads = self.threads - count
        # Where not even every thread may be promised once, one that is taken is one promise less.
        limit = Fraction(floor(threads * self.overcommit)) if self.overcommit >= 1 else self.limit - count
        return replace(self, threads=threads, limit=limit)

    def thread(self, request: Request) -> Fraction:
        """What a virtual CPU takes of a node."""
        return max(Fraction(1), self.overcommit) if request.pinned else Fraction(1)

    def takes(self, request: Request) -> bool:
        """Whether the host as a whole has virtual CPUs and memory for it."""
        return self.less(request, ()).cpu >= 0 and (self.huge if request.huge_pages else self.ram) >= request.ram_mib


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
    now: float = 0.0
    fleet: Sequence[Machine] = ()

    @property
    def age(self) -> Fraction | None:
        """How long ago it was measured; None when it never was."""
        return None if self.view.load_at is None else exact(self.now) - exact(self.view.load_at)

    @property
    def fresh(self) -> bool:
        return self.age is not None and self.age <= exact(self.limits.load_fresh_seconds)

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
        reserved = self.limits.ram_reserved_mib if own is None else own
        return max(0, self.view.ram_mib - reserved - self.view.huge_pages_mib)

    @property
    def disk_free(self) -> int:
        return self.view.disk_bytes - self.view.allocated_disk_bytes - sum(vm.disk_bytes for vm, _nodes in self.vms)

    def room(self) -> Room:
        view = self.view
        room = Room(
            exact(view.cpu),
            exact(view.allocated_cpu) - exact(view.allocated_pinned_cpu),
            self.cpu_limit,
            self.overcommit,
            self.ram_limit - (view.allocated_ram_mib - view.allocated_huge_pages_mib),
            view.huge_pages_mib - view.allocated_huge_pages_mib,
            tuple(
                (exact(node.cpu) * self.overcommit, node.ram_mib - node.huge_pages_mib, node.huge_pages_mib)
                for node in view.numa
            ),
        )
        if view.allocated_pinned_cpu:
            room = room.less_threads(exact(view.allocated_pinned_cpu))
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
    return machine.room().less(request, ()).cpu >= 0


def memory(machine: Machine, request: Request) -> bool:
    room = machine.room()
    return (room.huge if request.huge_pages else room.ram) >= request.ram_mib


def numa(machine: Machine, request: Request) -> bool:
    if not request.numa:
        return True
    room = machine.room()
    return [node_takes(room, request, node) for node in range(len(room.nodes))].count(True) >= request.numa


def disk(machine: Machine, request: Request) -> bool:
    return request.disk_bytes == 0 or machine.disk_free >= request.disk_bytes


def pools(machine: Machine, request: Request) -> bool:
    for name, wanted in request.pools.items():
        pool = machine.view.pools.get(name)
        if pool is None:
            return False
        promised = pool.used_bytes + sum(vm.pools.get(name, 0) for vm, _nodes in machine.vms)
        if promised + wanted > pool.size_bytes:
            return False
    return True


def bandwidth(machine: Machine, request: Request) -> bool:
    if request.bandwidth_mbps == 0:
        return True
    carries = machine.view.bandwidth_mbps
    promised = machine.view.allocated_bandwidth_mbps + sum(vm.bandwidth_mbps for vm, _nodes in machine.vms)
    return carries is not None and promised + request.bandwidth_mbps <= carries


def metrics(machine: Machine, request: Request) -> bool:
    limit = machine.limits.metrics_fresh_seconds
    return machine.age is None or limit == float("inf") or machine.age <= exact(limit)


def creates(machine: Machine, request: Request) -> bool:
    return machine.view.creating < machine.limits.creates_at_once


def dedicated(machine: Machine, request: Request) -> bool:
    return not machine.view.dedicated or request.project in machine.view.dedicated


def host_labels(machine: Machine, request: Request) -> bool:
    return all(machine.view.labels.get(key) == value for key, value in request.host_labels.items())


def architecture(machine: Machine, request: Request) -> bool:
    return request.architecture is None or request.architecture == machine.view.architecture


def machine_type(machine: Machine, request: Request) -> bool:
    return request.machine is None or request.machine in machine.view.machines


def cpu_features(machine: Machine, request: Request) -> bool:
    return all(feature in machine.view.cpu_features for feature in request.cpu_features)


def networks(machine: Machine, request: Request) -> bool:
    return machine.view.networks is None or all(network in machine.view.networks for network in request.networks)


def image(machine: Machine, request: Request) -> bool:
    if request.image is None or machine.view.reachable_images is None:
        return True
    return request.image in machine.view.images or request.image in machine.view.reachable_images


def volumes(machine: Machine, request: Request) -> bool:
    reachable = machine.view.reachable_volumes
    return reachable is None or all(volume in reachable for volume in request.volumes)


def node_takes(room: Room, request: Request, node: int) -> bool:
    cpu_free, ram_free, huge_free = room.nodes[node]
    cpu, ram = part(request)
    return cpu_free >= cpu * room.thread(request) and (huge_free if request.huge_pages else ram_free) >= ram


FILTERS: Mapping[str, Callable[[Machine, Request], bool]] = {
    "ready": ready,
    "cordon": cordon,
    "metrics": metrics,
    "creates": creates,
    "requested": requested,
    "excluded": excluded,
    "dedicated": dedicated,
    "host_labels": host_labels,
    "architecture": architecture,
    "machine": machine_type,
    "cpu_features": cpu_features,
    "networks": networks,
    "image": image,
    "volumes": volumes,
    "cpu": cpu,
    "memory": memory,
    "numa": numa,
    "disk": disk,
    "pools": pools,
    "bandwidth": bandwidth,
    **reference_company.FILTERS,
    "n_plus_one": reference_failure.n_plus_one,
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
    (cpu_free, ram_free, _huge_free), (cpu_part, ram_part) = room.nodes[node], part(vm)
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
    return share_of(machine.room().less(request, ()).cpu, machine.cpu_limit)


def free_memory(machine: Machine, request: Request, moment: Moment) -> float:
    left = machine.room().less(request, ())
    if request.huge_pages:
        return share_of(Fraction(left.huge), Fraction(machine.view.huge_pages_mib))
    return share_of(Fraction(left.ram), Fraction(machine.ram_limit))


def share_of(left: Fraction, limit: Fraction) -> float:
    return float(left / limit) if limit else 0.0


def load(machine: Machine, request: Request, moment: Moment) -> float:
    view = machine.view
    parts = [view.load, view.load_memory, view.load_disk, view.load_network, view.load_pressure]
    known = [part for part in parts if part is not None]
    return 1 - max(known) if known and machine.fresh else 0.5


def io_latency(machine: Machine, request: Request, moment: Moment) -> float:
    measured = machine.view.io_latency_ms
    return 10 / (10 + measured) if measured is not None and machine.fresh else 0.5


def staleness(machine: Machine, request: Request, moment: Moment) -> float:
    """Half as much for each time that the age has doubled, four times."""
    if machine.age is None:
        return 0.0
    worth, limit = 1.0, exact(machine.limits.load_fresh_seconds)
    while machine.age > limit:
        worth, limit = worth / 2, limit * 2
        if worth < 1 / 16:
            return 0.0
    return worth


def stability(machine: Machine, request: Request, moment: Moment) -> float:
    """A failure counts half as much for each six hours that have passed, and after eight times that for nothing."""
    weight = 0.0
    for failed in machine.view.failures:
        age, half = exact(moment.now) - exact(failed), 0
        while age > 6 * 3600 and half < 8:
            age, half = age - 6 * 3600, half + 1
        weight += 0.5**half if half < 8 else 0.0
    return 1 / (1 + weight)


def image_locality(machine: Machine, request: Request, moment: Moment) -> float:
    return 1.0 if request.image in machine.view.images else 0.0


def energy(machine: Machine, request: Request, moment: Moment) -> float:
    """Half for a VM that adds two watts for each virtual CPU."""
    view = machine.view
    idle, most = (2 * view.cpu, 6 * view.cpu) if view.power is None else (view.power.idle_w, view.power.max_w)
    promised = exact(view.allocated_cpu) or view.allocated_ram_mib
    asleep = not promised and not any(vm.cpu or vm.ram_mib for vm, _nodes in machine.vms)
    share = float(exact(request.cpu) / machine.cpu_limit) if machine.cpu_limit else 0.0
    added = max(0.0, most - idle) * share + (idle if asleep else 0.0)
    usual = 2 * max(request.cpu, 1 / 840_000)
    return usual / (usual + added)


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
    "io_latency": io_latency,
    "image_locality": image_locality,
    "stability": stability,
    "staleness": staleness,
    "pack": pack,
    "balance": balance,
    "fragmentation": fragmentation,
    "energy": energy,
    **reference_company.SCORERS,
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
    weights = dict(weights_of(policy, machines))
    if not reference_company.has_wishes(request):
        # Nobody is judged by a wish that was not made.
        weights.pop("soft_affinity", None)
    if request.image is None:
        # Nor by an image that nobody needs.
        weights.pop("image_locality", None)
    wanted = slot_weights(machines, shares) if "fragmentation" in weights else []
    moment = Moment(now, shares, wanted)
    refused, parts, scores = {}, {}, {}
    for machine in machines:
        machine.now, machine.fleet = now, machines
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
