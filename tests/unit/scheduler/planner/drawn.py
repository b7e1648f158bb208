"""Fleets with VMs on them, as Hypothesis draws them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.policy import BALANCED, PACK, SPREAD, Policy
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.spread import Spread

GIB = 1024
POLICIES = [replace(policy, limits=Limits(2.0, 0)) for policy in (SPREAD, PACK, BALANCED)]
# Any one host may fail, or could not from the outset.
POLICIES.append(replace(SPREAD, name="careful", filters=(*SPREAD.filters, "n_plus_one"), limits=Limits(2.0, 0)))
NAMES = [f"node{number}" for number in range(5)]

hosts = st.builds(
    HostView,
    id=st.sampled_from(NAMES),
    cpu=st.sampled_from([16, 8, 4]),
    ram_mib=st.sampled_from([32, 16, 8]).map(lambda gib: gib * GIB),
    disk_bytes=st.sampled_from([1000, 1000, 0]),
    state=st.sampled_from(["ready"] * 9 + ["maintenance", "down"]),
    cordoned=st.sampled_from([False] * 7 + [True]),
    labels=st.sampled_from([{"rack": "r1"}, {"rack": "r2"}, {}]),
)
vms = st.builds(
    Request,
    cpu=st.sampled_from([0.5, 1, 2, 4]),
    ram_mib=st.sampled_from([512, 1024, 2048, 4096, 6000]),
    disk_bytes=st.sampled_from([0, 0, 100, 300]),
    labels=st.sampled_from([{}, {}, {"app": "db"}, {"app": "web"}]),
    group=st.sampled_from([None, None, None, "g"]),
    anti_affinity=st.sampled_from([()] * 9 + [("app=db",), ("group:g",), ("app=web@rack",)]),
    host_labels=st.sampled_from([{}] * 6 + [{"rack": "r1"}]),
    spread=st.sampled_from([()] * 6 + [(Spread("host", 1),), (Spread("rack", 2),)]),
    pinned=st.sampled_from([False] * 9 + [True]),
    priority=st.integers(0, 2),
)


@dataclass(frozen=True)
class Situation:
    """A fleet, and the policy by which it is run."""

    fleet: Fleet
    policy: Policy

    def __repr__(self) -> str:
        told = [
            f"{vm} on {self.fleet.where(vm)}: {self.fleet.request_of(vm)}"
            + (" (off)" if vm in self.fleet.not_running else "")
            for vm in self.fleet.vms()
        ]
        return "\n".join([self.policy.name, *map(str, self.fleet.hosts), *told])


@st.composite
def situations(draw: st.DrawFn, most: int = 12) -> Situation:
    """Some hosts and VMs wherever: some of them where no rule would have them."""
    fleet = Fleet(draw(st.lists(hosts, min_size=2, max_size=5, unique_by=lambda host: host.id)))
    names = [host.id for host in fleet.hosts]
    for number, request in enumerate(draw(st.lists(vms, min_size=draw(st.sampled_from([0, 3, 6])), max_size=most))):
        vm = f"vm{number:02}"
        pin = draw(st.sampled_from([None] * 9 + names))
        fleet.add(vm, draw(st.sampled_from(names)), replace(request, vm=vm, host=pin))
        if draw(st.sampled_from([False] * 7 + [True])):
            fleet.not_running.add(vm)
    return Situation(fleet, draw(st.sampled_from(POLICIES)))


def node_host(name: str, nodes: int = 2) -> HostView:
    """A host with NUMA nodes of 4 threads and 8 GiB."""
    return HostView(name, 4 * nodes, 8 * GIB * nodes, numa=(NumaNode(4, 8 * GIB),) * nodes)
