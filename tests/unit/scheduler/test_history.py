"""A scheduler that remembers answers as one that has seen nothing, whatever it has lived through.

Two fleets live through one history. The first is asked through one scheduler that is kept, the second through one that
is made for every question and thrown away.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minicloud_core.scheduler.ageing import HALF_LIFE, HALVINGS, STALE
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode, Pool, Power
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.mix import EVERY, RECENT
from minicloud_core.scheduler.obstacle import Obstacle
from minicloud_core.scheduler.pipeline import Scheduler, place
from minicloud_core.scheduler.policy import BALANCED, PACK, SPREAD, Policy
from minicloud_core.scheduler.request import Request

from tests.unit.scheduler import reference

NOW = 1_000_000.0
# More kinds of requests than a scheduler keeps sheets, and more changes than a small fleet remembers.
MANY_KINDS = 70
MANY_CHANGES = 100
COLUMNS = (
    "cpu_used", "ram_used", "disk_used", "node_cpu_used", "node_ram_used", "pinned_used", "huge_used",
    "node_pinned_used", "node_huge_used", "bandwidth_used",
)  # fmt: skip

EVERYTHING = dict.fromkeys(reference.SCORERS, 1.0)
POLICIES = [
    BALANCED,
    SPREAD,
    PACK,
    replace(BALANCED, limits=Limits(1.0, 0), turn_at=0.1),
    Policy("everything", weights=EVERYTHING, limits=Limits(1.5, 100, 0.1)),
    Policy("measured", weights=EVERYTHING, limits=Limits(1.5, 100, 60.0, 150.0)),
    Policy("turns", weights={"load": 1.0}, limits=Limits(1.0, 0), turn_at=0.5, weights_full=EVERYTHING),
    Policy("none", limits=Limits(2.0, 0)),
]


class History:
    """What happens to both fleets alike. Every step that asks compares."""

    def __init__(self, hosts: Iterable[HostView], policy: Policy) -> None:
        self.hosts = list(hosts)
        self.policy = policy
        self.fleet, self.twin = Fleet(self.hosts), Fleet(self.hosts)
        self.scheduler = Scheduler(self.fleet, policy)
        self.now = NOW
        self.machines = {view.id: reference.Machine(view, policy.limits) for view in self.hosts}
        self.lying: dict[str, tuple[str, tuple[Request, tuple[int, ...]]]] = {}
        self.before = columns(self.fleet)
        self.count = 0

    def ask(self, request: Request) -> str | None:
        fresh = place(self.twin, request, self.policy, now=self.now)
        assert self.scheduler.choose(request, now=self.now) == fresh.host
        best = (fresh.host, fresh.accepted[0].score) if fresh.host is not None else None
        assert self.scheduler.choose_scored(request, now=self.now) == best
        assert self.scheduler.place(request, now=self.now) == fresh
        assert self.scheduler.obstacles(request, now=self.now) == obstacles(fresh)
        return fresh.host

    def read_plainly(self, request: Request) -> None:
        machines = [self.machines[view.id] for view in self.hosts]
        answer = reference.decide(machines, request, self.policy, self.fleet.mix.shares, self.now)
        reference.check(self.scheduler.place(request, now=self.now), answer)

    def choose(self, request: Request) -> None:
        assert self.scheduler.choose(request, now=self.now) == place(self.twin, request, self.policy, now=self.now).host

    def take(self, request: Request) -> None:
        host = self.ask(request)
        if host is None:
            return
        self.count += 1
        vm, row = f"vm-{self.count}", self.fleet.rows[host]
        used = self.fleet.node_cpu_used[row].copy()
        self.scheduler.take(vm, host, request)
        Scheduler(self.twin, self.policy).take(vm, host, request)
        assert columns(self.fleet) == columns(self.twin)
        assert self.fleet.where(vm) == host
        nodes = tuple((self.fleet.node_cpu_used[row] > used).nonzero()[0].tolist())
        assert len(nodes) == request.numa
        self.lying[vm] = (host, (request, nodes))
        self.machines[host].vms.append((request, nodes))
        self.check_limits(host)

    def check_limits(self, host: str) -> None:
        machine = self.machines[host]
        room = machine.room()
        assert room.cpu >= 0
        assert room.ram >= 0
        assert machine.disk_free >= 0
        assert room.huge >= 0
        assert all(cpu >= 0 and ram >= 0 and huge >= 0 for cpu, ram, huge in room.nodes)

    def remove(self, number: int) -> None:
        if not self.lying:
            return
        vm = sorted(self.lying)[number % len(self.lying)]
        host, lies = self.lying.pop(vm)
        self.machines[host].vms.remove(lies)
        self.fleet.remove(vm)
        self.twin.remove(vm)
        assert self.fleet.where(vm) is None

    def churn(self, number: int, request: Request, times: int) -> None:
        """A VM that comes and goes while nobody asks."""
        if not self.hosts:
            return
        host = self.hosts[number % len(self.hosts)].id
        for fleet in (self.fleet, self.twin):
            for _turn in range(times):
                fleet.add("passing", host, request)
                fleet.remove("passing")

    def note(self, request: Request, times: int) -> None:
        """What others ask for."""
        for fleet in (self.fleet, self.twin):
            for _turn in range(times):
                fleet.mix.note(request)

    def ask_many(self, first: int) -> None:
        """As many kinds of requests as it takes for the first to be forgotten."""
        for number in range(first, first + MANY_KINDS):
            self.choose(Request(1 + number / 10, 64 * number, numa=number % 3))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def to_the_edge(self, number: int, ulps: int) -> None:
        """To just when a measurement or a failure is worth less, or as near to it as a number can be."""
        limits = self.policy.limits
        fresh = [limits.load_fresh_seconds * times for times in STALE]
        measured = [view.load_at for view in self.hosts if view.load_at is not None]
        failed = [moment for view in self.hosts for moment in view.failures]
        edges = [
            *(at + age for age in (*fresh, limits.metrics_fresh_seconds) for at in measured if isfinite(age)),
            *(at + HALF_LIFE * (1 + times) for times in range(HALVINGS) for at in failed),
        ]
        if not edges:
            return
        self.now = edges[number % len(edges)]
        for _turn in range(abs(ulps)):
            self.now = math.nextafter(self.now, math.inf if ulps > 0 else -math.inf)

    def end(self) -> None:
        """All VMs go, and nothing is left of them."""
        while self.lying:
            self.remove(self.count * 7 + len(self.lying))
        assert columns(self.fleet) == self.before
        assert [self.fleet.host(view.id) for view in self.hosts] == self.hosts


def obstacles(decision: Decision) -> tuple[Obstacle, ...]:
    """What a decision says of each host, counted by rule."""
    said: dict[str, list[tuple[str, int]]] = {}
    for refusal in decision.refused:
        for reason in refusal.reasons:
            said.setdefault(reason.rule, []).append((f"{refusal.host}: {reason.message}", len(refusal.reasons)))
    counted = [
        Obstacle(rule, len(hosts), sum(1 for _words, reasons in hosts if reasons == 1), hosts[0][0])
        for rule, hosts in said.items()
    ]
    return tuple(sorted(counted, key=lambda obstacle: (-obstacle.hosts, obstacle.rule)))


def columns(fleet: Fleet) -> dict[str, list[object]]:
    return {name: getattr(fleet, name).tolist() for name in COLUMNS}


mibs = st.sampled_from([64, 1000, 1024, 1025, 2048, 4096, 8192])
halves = st.integers(-400, 4).map(lambda half: NOW + half / 2)
views = st.builds(
    HostView,
    id=st.sampled_from([f"node{number}" for number in range(5)]),
    cpu=st.integers(0, 16),
    ram_mib=st.integers(0, 64).map(lambda gib: gib * 1024),
    disk_bytes=st.integers(0, 2000),
    cordoned=st.sampled_from([False, False, False, True]),
    cpu_overcommit=st.none() | st.sampled_from([0.7, 1.0, 1.15, 2.0]),
    ram_reserved_mib=st.none() | st.integers(0, 1024),
    load=st.none() | st.floats(0, 1),
    load_at=st.none() | halves | st.floats(NOW - 200, NOW),
    io_latency_ms=st.none() | st.floats(0, 100),
    failures=st.sampled_from([(), (), (NOW - 100,), (NOW - 6 * 3600, NOW - 1), (NOW - 48 * 3600,)]),
    power=st.sampled_from([None, Power(80, 300)]),
    labels=st.sampled_from([{}, {"rack": "r1"}]),
    bandwidth_mbps=st.sampled_from([None, 100, 1000]),
    allocated_bandwidth_mbps=st.sampled_from([0, 60]),
    pools=st.sampled_from([{}, {"ssd": Pool(1000, 100)}, {"ssd": Pool(300), "hdd": Pool(2000)}]),
    images=st.sampled_from([frozenset(), frozenset({"debian"})]),
    dedicated=st.sampled_from([frozenset(), frozenset(), frozenset({"shop"})]),
    huge_pages_mib=st.sampled_from([0, 0, 4096]),
    numa=st.lists(
        st.builds(
            NumaNode,
            cpu=st.integers(0, 8),
            ram_mib=mibs.map(lambda mib: 4 * mib),
            huge_pages_mib=st.sampled_from([0, 0, 256]),
        ),
        max_size=3,
    ).map(tuple),
)
requests = st.builds(
    Request,
    cpu=st.sampled_from([0.1, 0.2, 0.3, 0.7, 1, 1.1, 2, 3, 4]),
    ram_mib=mibs,
    disk_bytes=st.sampled_from([0, 0, 100, 300]),
    numa=st.sampled_from([0, 0, 1, 1, 2, 3]),
    host=st.sampled_from([None] * 6 + ["node1"]),
    exclude=st.frozensets(st.sampled_from(["node0", "node2"]), max_size=1),
    project=st.sampled_from(["default", "default", "shop"]),
    host_labels=st.sampled_from([{}, {}, {}, {"rack": "r1"}]),
    bandwidth_mbps=st.sampled_from([0, 0, 50]),
    pools=st.sampled_from([{}, {}, {"ssd": 100}, {"ssd": 50, "hdd": 500}]),
    image=st.sampled_from([None, "debian"]),
    pinned=st.sampled_from([False, False, True]),
    huge_pages=st.sampled_from([False, False, True]),
)
seconds = st.sampled_from([0.0, 0.05, 0.5, 20.0, 119.5, 120.0, 200.0, -0.5, -60.0, -150.0])
steps = st.one_of(
    st.tuples(st.just("take"), requests),
    st.tuples(st.just("take"), requests),
    st.tuples(st.just("ask"), requests),
    st.tuples(st.just("remove"), st.integers(0, 99)),
    st.tuples(st.just("pass_time"), seconds),
    st.tuples(st.just("to_the_edge"), st.integers(0, 99), st.integers(-2, 2)),
    st.tuples(st.just("churn"), st.integers(0, 4), requests, st.sampled_from([1, MANY_CHANGES])),
    st.tuples(st.just("note"), requests, st.sampled_from([1, EVERY, RECENT])),
    st.tuples(st.just("ask_many"), st.integers(0, 99)),
)
asks = st.lists(requests, min_size=1, max_size=4)


@pytest.mark.slow
@settings(deadline=None, max_examples=80)
@given(
    st.lists(views, max_size=5, unique_by=lambda view: view.id),
    st.sampled_from(POLICIES),
    st.lists(steps, min_size=3, max_size=25),
    asks,
)
def test_a_scheduler_that_remembers_answers_as_one_that_does_not(
    hosts: list[HostView], policy: Policy, happens: list[tuple[object, ...]], recurring: list[Request]
) -> None:
    history = History(sorted(hosts, key=lambda view: view.id), policy)
    for name, *arguments in happens:
        # What was asked before is what is remembered.
        for request in recurring:
            history.ask(request)
        getattr(history, str(name))(*arguments)
    for request in recurring:
        history.ask(request)
    history.end()


@dataclass
class Dice:
    """A long history, the same every time."""

    random: random.Random
    shapes: list[Request] = field(default_factory=list)

    def host(self, number: int) -> HostView:
        nodes = self.random.choice((0, 1, 2, 2, 3))
        measured = self.random.random() < 0.8
        return HostView(
            f"node{number:02}",
            cpu=16,
            ram_mib=65536,
            disk_bytes=10_000,
            cpu_overcommit=self.random.choice((None, 1.0, 1.15)),
            load=self.random.random() if measured else None,
            load_at=NOW - self.random.random() * 100 if measured else None,
            numa=tuple(
                NumaNode(self.random.choice((4, 8)), self.random.choice((16384, 32768))) for _node in range(nodes)
            ),
        )

    def request(self) -> Request:
        if self.shapes and self.random.random() < 0.7:
            return self.random.choice(self.shapes)
        one = Request(
            self.random.randint(1, 60) / 10,
            self.random.choice((512, 1024, 1025, 4096, 8192)),
            self.random.choice((0, 50)),
            numa=self.random.choice((0, 1, 1, 2, 3)),
        )
        self.shapes.append(one)
        return one

    def step(self, history: History) -> None:
        what = self.random.random()
        if what < 0.55:
            history.take(self.request())
        elif what < 0.8:
            history.remove(self.random.randrange(1000))
        elif what < 0.9:
            history.ask(self.request())
        elif what < 0.95:
            history.pass_time(self.random.uniform(-5, 10))
        elif what < 0.99:
            history.note(self.request(), 40)
        else:
            history.churn(self.random.randrange(20), self.request(), MANY_CHANGES)


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: f"{policy.name}-{policy.turn_at:g}")
def test_a_long_history_of_many_kinds_of_requests(policy: Policy) -> None:
    dice = Dice(random.Random(4))
    history = History([dice.host(number) for number in range(20)], policy)
    for turn in range(400):
        dice.step(history)
        if turn % 80 == 79:
            history.read_plainly(dice.request())
    assert len({request.key for request in dice.shapes}) > MANY_KINDS
    assert history.count > 100
    history.end()


def test_a_shape_that_weighs_what_another_did_is_another() -> None:
    """All were asked for one shape, now for another: each has the whole weight, and costs other slots."""
    hosts = [HostView("node0", 8, 8192, ram_reserved_mib=0), HostView("node1", 4, 32768, ram_reserved_mib=0)]
    history = History(hosts, replace(PACK, limits=Limits(1.0, 0)))
    asked = Request(2, 2048)
    for shape in (Request(4, 1024), Request(1, 8192), Request(4, 1024)):
        history.note(shape, RECENT)
        history.ask(asked)


def test_requests_that_differ_in_one_thing_are_not_taken_for_each_other() -> None:
    nodes = (NumaNode(4, 4096), NumaNode(4, 4096))
    hosts = [HostView(f"node{number}", 8, 8192, 1000, numa=nodes[:number]) for number in range(3)]
    hosts[0] = replace(hosts[0], dedicated=frozenset({"shop"}), networks=frozenset(), reachable_volumes=frozenset())
    hosts[1] = replace(hosts[1], labels={"rack": "r1"}, architecture="x86_64", images=frozenset({"debian"}))
    hosts[2] = replace(hosts[2], machines=frozenset({"q35"}), cpu_features=frozenset({"aes"}), bandwidth_mbps=10)
    hosts[2] = replace(hosts[2], pools={"ssd": Pool(1)}, networks=frozenset({"lan"}))
    history = History(hosts, Policy("everything", weights=EVERYTHING, limits=Limits(1.0, 0)))
    base = Request(1, 1024)
    one_thing_else = [
        replace(base, cpu=9),
        replace(base, ram_mib=9000),
        replace(base, disk_bytes=2000),
        replace(base, numa=1),
        replace(base, numa=2),
        replace(base, host="node2"),
        replace(base, exclude=frozenset({"node0"})),
        replace(base, exclude=frozenset({"node1", "node2"})),
        replace(base, project="shop"),
        replace(base, host_labels={"rack": "r1"}),
        replace(base, architecture="x86_64"),
        replace(base, machine="q35"),
        replace(base, cpu_features=frozenset({"aes"})),
        replace(base, networks=frozenset({"lan"})),
        replace(base, bandwidth_mbps=10),
        replace(base, pools={"ssd": 1}),
        replace(base, pools={"ssd": 2}),
        replace(base, image="debian"),
        replace(base, volumes=frozenset({"v1"})),
        replace(base, cpu=5, pinned=True),
        replace(base, cpu=5),
        replace(base, huge_pages=True),
    ]
    for request in [base, *one_thing_else, base, *reversed(one_thing_else)]:
        history.ask(request)


def test_a_tenth_of_a_cpu_comes_and_goes_without_a_trace() -> None:
    history = History([HostView("node0", 1, 8192, cpu_overcommit=1.0)], SPREAD)
    for _turn in range(3):
        for _vm in range(12):
            history.take(Request(0.1, 64))
        # Ten tenths are a whole, neither nine nor eleven.
        assert len(history.lying) == 10
        history.end()


def test_thirds_of_a_cpu_fill_their_nodes_exactly() -> None:
    nodes = (NumaNode(1, 1024),) * 3
    history = History([HostView("node0", 3, 8192, cpu_overcommit=1.0, numa=nodes)], SPREAD)
    for _vm in range(4):
        history.take(Request(1, 64, numa=3))
    assert len(history.lying) == 3
    history.end()


def test_taking_where_there_is_no_room_on_a_node_says_so() -> None:
    view = HostView("node0", 8, 8192, numa=(NumaNode(2, 4096), NumaNode(2, 4096)))
    fleet = Fleet([view])
    scheduler = Scheduler(fleet, replace(PACK, limits=Limits(1.0, 0)))
    for request in (Request(6, 64, numa=2), Request(1, 64, numa=3)):
        with pytest.raises(ValueError, match=f"node0 has no {request.numa} NUMA nodes with room"):
            scheduler.take("vm-1", "node0", request)
    assert fleet.where("vm-1") is None
    assert fleet.host("node0") == view
