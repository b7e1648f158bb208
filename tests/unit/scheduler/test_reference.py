"""The scheduler, which reads the fleet as columns, decides as a plain reading of its rules, host by host, does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.model.host import HOST_TRANSITIONS
from minicloud_core.scheduler.board import Board
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode, Pool, Power
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.mix import RECENT
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import BALANCED, PACK, SPREAD, Policy
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler import reference

NOW = 1_000_000.0
NAMES = [f"node{number}" for number in range(5)]
GIB = 1024


def mostly(usual: object, *others: object) -> st.SearchStrategy:
    """The usual, but for one time in nine: of hosts that refuse everything there is little to learn."""
    return st.sampled_from([usual] * (8 * len(others)) + list(others))


thousandths = st.integers(1, 4_000).map(lambda count: count / 1000)
cpus = st.sampled_from([1, 2, 3, 4, 8, 0.1, 0.25, 0.3, 0.5, 0.7, 1.5, 2.4]) | thousandths
mibs = st.sampled_from([0, 1, 64, 1000, GIB, GIB + 1, 2 * GIB, 3 * GIB, 4 * GIB, 8 * GIB]) | st.integers(1, 3 * GIB)
ratios = st.sampled_from([0.7, 1.0, 1.1, 1.15, 1.5, 2.0])
halves = st.integers(-400, 20).map(lambda half: NOW + half / 2) | st.sampled_from([NOW - 120, NOW - 30, NOW])

percents = st.integers(0, 100).map(lambda percent: percent / 100)

nodes = st.builds(
    NumaNode,
    cpu=st.sampled_from([8, 6, 4, 3, 2.5, 2, 1, 0]),
    ram_mib=st.sampled_from([16, 8, 6, 4, 1]).map(GIB.__mul__),
    huge_pages_mib=st.sampled_from([0, 0, GIB, 4 * GIB]),
)
hosts = st.builds(
    HostView,
    id=st.just(""),
    cpu=st.sampled_from([16, 12, 8, 7.3, 6, 4, 2.5, 1, 0]),
    ram_mib=st.sampled_from([40, 32, 24, 16, 8]).map(GIB.__mul__) | st.integers(0, 32 * GIB),
    disk_bytes=st.sampled_from([1000, 400, 0]),
    state=mostly("ready", *sorted(HOST_TRANSITIONS.states)),
    cordoned=mostly(False, True, False),
    creating=mostly(0, 1, 2),
    allocated_cpu=mostly(0, 0.5, 1, 2.001, 4, 18),
    allocated_ram_mib=mostly(0, 1, 1000, 3 * GIB, 41 * GIB),
    allocated_disk_bytes=mostly(0, 1, 100, 1200),
    cpu_overcommit=st.none() | ratios,
    ram_reserved_mib=st.none() | st.sampled_from([0, 1, 512, 4096, 16 * GIB]),
    load=st.none() | percents,
    load_at=st.none() | halves,
    load_memory=mostly(None, 0.25, 0.99),
    load_disk=mostly(None, 0.5),
    load_network=mostly(None, 0.75),
    load_pressure=mostly(None, 0.1, 0.9),
    io_latency_ms=st.none() | st.sampled_from([0.0, 0.3, 10.0, 250.0]),
    failures=mostly((), (NOW - 1,), (NOW - 6 * 3600, NOW + 5), (NOW - 8 * 6 * 3600, NOW - 8 * 6 * 3600 - 0.5)),
    power=mostly(None, Power(80, 300), Power(50, 120), Power(0, 0)),
    labels=mostly({"rack": "r1", "disk": "ssd"}, {}, {"rack": "r2"}),
    architecture=mostly("x86_64", None, "aarch64"),
    machines=mostly(frozenset({"q35", "pc"}), frozenset(), frozenset({"virt"})),
    cpu_features=mostly(frozenset({"aes", "avx2"}), frozenset(), frozenset({"aes"})),
    networks=mostly(frozenset({"lan", "dmz"}), None, frozenset(), frozenset({"lan"})),
    bandwidth_mbps=mostly(1000, None, 0, 100),
    allocated_bandwidth_mbps=mostly(0, 1, 950),
    pools=mostly({"ssd": Pool(500), "hdd": Pool(900, 300)}, {}, {"ssd": Pool(100, 50)}),
    images=mostly(frozenset(), frozenset({"debian"})),
    reachable_images=mostly(None, frozenset(), frozenset({"debian"})),
    reachable_volumes=mostly(None, frozenset(), frozenset({"v1"})),
    dedicated=mostly(frozenset(), frozenset({"shop"}), frozenset({"shop", "default"})),
    huge_pages_mib=st.sampled_from([0, 2 * GIB, 9 * GIB]),
    allocated_huge_pages_mib=mostly(0, 1000),
    allocated_pinned_cpu=mostly(0, 0.5, 1),
    numa=st.sampled_from([2, 3, 1, 0]).flatmap(lambda count: st.tuples(*[nodes] * count)),
)
requests = st.builds(
    Request,
    cpu=cpus,
    ram_mib=mibs,
    disk_bytes=mostly(0, 1, 200, 700),
    host=mostly(None, *NAMES[:2], "nowhere"),
    exclude=mostly(frozenset(), frozenset(NAMES[:1]), frozenset(NAMES[1:3]), frozenset({"nowhere"})),
    numa=st.sampled_from([0, 0, 1, 1, 2, 3]),
    project=mostly("default", "shop"),
    host_labels=mostly({}, {"rack": "r1"}, {"rack": "r1", "disk": "ssd"}, {"cage": "7"}),
    architecture=mostly(None, "x86_64", "riscv64"),
    machine=mostly(None, "q35", "virt"),
    cpu_features=mostly(frozenset(), frozenset({"aes"}), frozenset({"aes", "avx2"})),
    networks=mostly(frozenset(), frozenset({"lan"}), frozenset({"lan", "dmz"})),
    bandwidth_mbps=mostly(0, 50, 100, 1000),
    pools=mostly({}, {"ssd": 50}, {"ssd": 400, "hdd": 600}, {"hdd": 0}, {"tape": 0}),
    image=mostly(None, "debian", "plan9"),
    volumes=mostly(frozenset(), frozenset({"v1"}), frozenset({"v1", "v2"})),
    pinned=st.sampled_from([False, False, False, True]),
    huge_pages=st.sampled_from([False, False, False, True]),
)
# Large enough that the reference, which puts them on a host one by one, comes to an end.
shapes = st.builds(
    Request,
    cpu=st.sampled_from([0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0]),
    ram_mib=st.sampled_from([1000, GIB, 1025, 2 * GIB, 4 * GIB, 9 * GIB]),
    numa=st.integers(0, 3),
)
weights = st.dictionaries(
    st.sampled_from(sorted(reference.SCORERS)), st.sampled_from([0.001, 0.01, 0.5, 1.0, 3.0]), max_size=6
)
optional = ("ready", "cordon", "requested", "excluded", "disk", "host_labels", "pools", "bandwidth", "metrics")
filters = st.just(frozenset()) | st.frozensets(st.sampled_from(optional))
limits = st.builds(
    Limits,
    cpu_overcommit=ratios,
    ram_reserved_mib=st.integers(0, 2048),
    load_fresh_seconds=st.sampled_from([0.0, 30.0, 120.0]),
    metrics_fresh_seconds=mostly(inf, 30.0, 150.0),
    creates_at_once=mostly(inf, 1.0, 2.0),
)
drawn_policies = st.builds(
    lambda without, weights, limits, turn_at, full: Policy(
        "drawn", tuple(name for name in reference.FILTERS if name not in without), weights, limits, turn_at, full
    ),
    filters,
    weights,
    limits,
    st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 1.0, 2.0]),
    weights,
)
EVERYTHING = Policy("everything", weights=dict.fromkeys(reference.SCORERS, 1.0))
policies = st.sampled_from([BALANCED, SPREAD, PACK, EVERYTHING]) | drawn_policies


@dataclass(frozen=True)
class Scene:
    """Hosts, the VMs on them each with its nodes, and what was asked for lately; none for what usually is."""

    hosts: list[HostView]
    vms: list[tuple[int, Request, tuple[int, ...]]]
    lately: list[Request]

    def fleet(self) -> Fleet:
        fleet = Fleet(self.hosts)
        for number, (host, request, lies_on) in enumerate(self.vms):
            fleet.add(f"vm-{number}", self.hosts[host].id, request, lies_on)
        for turn in range(RECENT if self.lately else 0):
            fleet.mix.note(self.lately[turn % len(self.lately)])
        return fleet

    def machines(self, limits: Limits) -> list[reference.Machine]:
        machines = [
            reference.Machine(view, limits, [(request, on) for host, request, on in self.vms if host == number])
            for number, view in enumerate(self.hosts)
        ]
        return sorted(machines, key=lambda machine: machine.view.id)


def consistent(view: HostView) -> HostView:
    """A part is no more than the whole of which it is one."""
    return replace(
        view,
        allocated_pinned_cpu=min(view.allocated_pinned_cpu, view.allocated_cpu),
        allocated_huge_pages_mib=min(view.allocated_huge_pages_mib, view.allocated_ram_mib, view.huge_pages_mib),
    )


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, len(NAMES)))]
    views = [consistent(replace(draw(hosts), id=name)) for name in names]
    vms = [
        draw(vms_on(number, view))
        for number, view in enumerate(views)
        for _turn in range(draw(st.sampled_from([0, 1, 0, 2])))
    ]
    return Scene(views, vms, draw(st.just([]) | st.lists(shapes, max_size=5)))


@st.composite
def vms_on(draw: st.DrawFn, number: int, view: HostView) -> tuple[int, Request, tuple[int, ...]]:
    """A VM that is there already, whether it should fit or not, on nodes that the host has."""
    numa = draw(st.integers(0, len(view.numa)))
    lies_on = draw(st.permutations(range(len(view.numa))))[:numa]
    request = Request(
        draw(cpus),
        draw(mibs),
        draw(st.integers(0, 300)),
        numa=numa,
        pinned=draw(st.sampled_from([False, False, True])),
        huge_pages=draw(st.sampled_from([False, False, True])),
        bandwidth_mbps=draw(mostly(0, 10, 900)),
        pools=draw(mostly({}, {"ssd": 100}, {"ssd": 1, "hdd": 600, "tape": 7})),
    )
    return number, request, tuple(sorted(lies_on))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Scene, Request, Policy]:
    """Also requests that fit to the last MiB, and those that do not by as little."""
    scene, request, policy = draw(scenes()), draw(requests), draw(policies)
    if draw(st.integers(0, 3)) == 0:
        machine = draw(st.sampled_from(scene.machines(policy.limits)))
        request = draw(tight(machine, request))
    return scene, request, policy


@st.composite
def tight(draw: st.DrawFn, machine: reference.Machine, request: Request) -> Request:
    """The request with some of its sizes set to what a host, or a part of it, has left, or a little more."""
    room = machine.room()
    cpu_left, ram_left, huge_left, times = room.cpu, room.ram, room.huge, 1
    if request.numa and room.nodes and draw(st.booleans()):
        (cpu_left, ram_left, huge_left), times = draw(st.sampled_from(room.nodes)), request.numa
    if request.huge_pages:
        ram_left = huge_left
    if request.pinned and machine.overcommit > 1:
        # To the last thread.
        cpu_left /= machine.overcommit
    more = st.sampled_from([0, 0, 1])
    sizes = {
        "cpu": (int(cpu_left * times * 1000) + draw(more)) / 1000,
        "ram_mib": ram_left * times + draw(more),
        "disk_bytes": machine.disk_free + draw(more),
    }
    chosen = draw(st.frozensets(st.sampled_from(sorted(sizes)), min_size=1))
    return replace(request, **{name: sizes[name] for name in sorted(chosen) if sizes[name] > 0})


def check(scene: Scene, request: Request, policy: Policy, decision: Decision) -> None:
    machines = scene.machines(policy.limits)
    reference.check(decision, reference.decide(machines, request, policy, scene.fleet().mix.shares, NOW))


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(cases())
def test_decisions_are_those_of_a_plain_reading(case: tuple[Scene, Request, Policy]) -> None:
    scene, request, policy = case
    check(scene, request, policy, place(scene.fleet(), request, policy, now=NOW))


ONE_THREAD = HostView("node0", cpu=1, ram_mib=4096, cpu_overcommit=1.0)
THREE_NODES = HostView("node0", cpu=4, ram_mib=4096, cpu_overcommit=1.0, numa=(NumaNode(1, 1024),) * 3)
SMALL_NODES = HostView("node0", cpu=4, ram_mib=4096, numa=(NumaNode(1, 512),) * 2)
TURNS = Policy("turns", weights={"load": 1.0}, limits=Limits(1.0, 0), turn_at=0.1, weights_full={"pack": 1.0})
TENS = [HostView("node0", cpu=10, ram_mib=8192), HostView("node1", cpu=10, ram_mib=8192)]
IN_COMPANY = [HostView("node0", 8, 32768), HostView("node1", 8, 32768, numa=(NumaNode(4, 16384),) * 2)]
LAST = [
    HostView("node0", 8, 8192, load=0.4, load_at=NOW - 120),
    HostView("node1", 8, 8192, load=0.45, load_at=NOW - 121),
]

SITUATIONS = {
    "0.9 and 0.1 are a whole CPU": (
        Scene([ONE_THREAD], [(0, Request(0.9, 64), ())], []),
        Request(0.1, 64),
        SPREAD,
        "node0",
    ),
    "100 x 1.15 is 115": (
        Scene([HostView("node0", 100, 4096, cpu_overcommit=1.15)], [], []),
        Request(115, 64),
        SPREAD,
        "node0",
    ),
    "three thirds fill a node": (
        Scene([THREE_NODES], [(0, Request(1, 64, numa=3), (0, 1, 2))] * 2, []),
        Request(1, 64, numa=3),
        PACK,
        "node0",
    ),
    "no fourth third": (
        Scene([THREE_NODES], [(0, Request(1, 64, numa=3), (0, 1, 2))] * 3, []),
        Request(1, 64, numa=3),
        PACK,
        None,
    ),
    "half a MiB is a MiB": (Scene([SMALL_NODES], [], []), Request(1, 1025, numa=2), PACK, None),
    "1024 halved is 512": (Scene([SMALL_NODES], [], []), Request(1, 1024, numa=2), PACK, "node0"),
    "a node that is not there takes nothing": (
        Scene([SMALL_NODES, HostView("node1", 8, 8192)], [], []),
        Request(0, 0, numa=1, host="node1"),
        SPREAD,
        None,
    ),
    "at a tenth it turns": (Scene(TENS, [(1, Request(2, 64), ())], []), Request(1, 64), TURNS, "node1"),
    "below a tenth it does not": (Scene(TENS, [(1, Request(1.999, 64), ())], []), Request(1, 64), TURNS, "node0"),
    "each host is judged for itself": (Scene(IN_COMPANY, [], []), Request(2, 4096), PACK, "node0"),
    "fresh to the last second": (Scene(LAST, [], []), Request(1, 64), Policy("load", weights={"load": 1.0}), "node0"),
    "all else alike, the name": (Scene(list(reversed(TENS)), [], []), Request(1, 64), BALANCED, "node0"),
}


@pytest.mark.parametrize(("scene", "request_", "policy", "expected"), SITUATIONS.values(), ids=SITUATIONS)
def test_a_plain_reading_says_what_people_would(
    scene: Scene, request_: Request, policy: Policy, expected: str | None
) -> None:
    decision = place(scene.fleet(), request_, policy, now=NOW)
    assert decision.host == expected
    check(scene, request_, policy, decision)


@settings(deadline=None)
@given(scenes(), limits)
def test_the_share_that_is_promised(scene: Scene, limits: Limits) -> None:
    expected = float(reference.fill(scene.machines(limits)))
    assert Board(scene.fleet(), limits).fill() == expected


@settings(deadline=None, max_examples=60)
@given(scenes(), requests.filter(lambda request: request.numa > 0), policies)
def test_a_vm_lies_on_the_nodes_where_it_costs_the_least(scene: Scene, request: Request, policy: Policy) -> None:
    scheduler = Scheduler(scene.fleet(), policy)
    chosen = scheduler.choose(request, now=NOW)
    if chosen is None:
        return
    machines = scene.machines(policy.limits)
    shares = scheduler.fleet.mix.shares
    machine = next(machine for machine in machines if machine.view.id == chosen)
    wanted = reference.slot_weights(machines, shares)
    costs = reference.node_costs(machine, request, shares, wanted)
    row = scheduler.fleet.rows[chosen]
    before = scheduler.fleet.node_ram_used[row].copy(), scheduler.fleet.node_cpu_used[row].copy()
    scheduler.take("vm-new", chosen, request)
    changed = scheduler.fleet.node_cpu_used[row] > before[1]
    taken = tuple(changed.nonzero()[0].tolist())
    least = min(cost for cost, _left, _nodes in costs)
    # Costs that differ by what floating point makes of the order of a sum are alike.
    alike = {lies_on: (cost, left) for cost, left, lies_on in costs if cost <= least + 1e-12}
    assert taken in alike
    exactly = [lies_on for lies_on, (cost, left) in alike.items() if cost == alike[taken][0] and left < alike[taken][1]]
    assert not exactly, f"{exactly} would be fuller than {taken}"


def test_the_reference_knows_every_rule() -> None:
    from minicloud_core.scheduler.filters import FILTERS
    from minicloud_core.scheduler.scorers import SCORERS

    assert set(reference.FILTERS) == set(FILTERS)
    assert set(reference.SCORERS) == set(SCORERS)
