"""How fast plans are made, and how good: a rebalance beside Ganeti's ``hbal`` on the same fleets, by the same score."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView
from minicloud_core.scheduler.limits import Limits
from minicloud_core.scheduler.planner.aim import Aim
from minicloud_core.scheduler.planner.consolidation import consolidate
from minicloud_core.scheduler.planner.drain import drain
from minicloud_core.scheduler.planner.evacuation import evacuate
from minicloud_core.scheduler.planner.plan import Plan
from minicloud_core.scheduler.planner.rebalance import rebalance
from minicloud_core.scheduler.policy import ENERGY, SPREAD
from minicloud_core.scheduler.request import Request

from tests.bench import ganeti
from tests.bench.figures import Table

NOW = 1_000_000.0
GIB = 1024
# As hbal's: no memory is kept for the host, and CPUs are not what is short.
LIMITS = Limits(cpu_overcommit=64.0, ram_reserved_mib=0)
VMS_A_HOST = 8
SIZES = (20, 40, 100, 1000)
# The largest fleet that hbal gets, and its seconds: on 100 hosts it takes minutes.
PEER_HOSTS, PATIENCE = 40, 120.0


def measure() -> list[Table]:
    """Rebalancing beside hbal, and the other planners."""
    return [_rebalancing(), _planners()]


def _rebalancing() -> Table:
    return Table(
        "Rebalancing",
        f"Fleets with {VMS_A_HOST} VMs a host, the first hosts fuller than the last. The score is Ganeti's cluster "
        "score (`docs/planning.md`). Ours, without a cost of moves: until no move gains, and until the score is "
        f"hbal's. hbal gets up to {PEER_HOSTS} hosts. Seconds are of processor.",
        ("hosts", "VMs", "score before", "our moves", "score", "seconds", "hbal's moves", "score", "seconds",
         "our moves to its score"),
        tuple(_rebalancing_row(hosts) for hosts in SIZES),
    )  # fmt: skip


def _rebalancing_row(hosts: int) -> tuple[str, ...]:
    fleet = uneven(hosts)
    plan, seconds = _timed(lambda: _even(fleet, Aim(0.0, 0.0)))
    row = (
        f"{hosts:,}", f"{hosts * VMS_A_HOST:,}", f"{plan.before['score']:.4f}", f"{len(plan.moves):,}",
        f"{plan.after['score']:.4f}", f"{seconds:.2f}",
    )  # fmt: skip
    peer = ganeti.hbal(fleet, PATIENCE) if hosts <= PEER_HOSTS else None
    if peer is None:
        return (*row, "not tried", "", "", "")
    assert abs(peer.before - plan.before["score"]) < 1e-5, "both have to mean the same by a score"
    # hbal prints eight digits.
    same = _even(fleet, Aim(0.0, 0.0, until=peer.after + 1e-8))
    reached = f"{len(same.moves):,}" if same.after["score"] <= peer.after + 1e-5 else "not reached"
    return (*row, f"{peer.moves:,}", f"{peer.after:.4f}", f"{peer.seconds:.2f}", reached)


def _even(fleet: Fleet, aim: Aim) -> Plan:
    return rebalance(fleet, replace(SPREAD, limits=LIMITS), now=NOW, aim=aim)


def _planners() -> Table:
    fleet = uneven(1000)
    fullest = fleet.hosts[int(fleet.ram_used.argmax())].id
    spread, energy = replace(SPREAD, limits=LIMITS), replace(ENERGY, limits=LIMITS)
    return Table(
        "Other plans",
        f"On 1,000 hosts with {1000 * VMS_A_HOST:,} VMs; drained and evacuated is the fullest host. Seconds are of "
        "processor.",
        ("plan", "moves", "stay", "seconds"),
        (
            _planner_row("drain", lambda: drain(fleet, fullest, spread, now=NOW)),
            _planner_row("evacuate", lambda: evacuate(fleet, fullest, spread, now=NOW)),
            _planner_row("consolidate", lambda: consolidate(fleet, energy, now=NOW)),
        ),
    )


def _planner_row(name: str, planner: Callable[[], Plan]) -> tuple[str, ...]:
    plan, seconds = _timed(planner)
    return name, f"{len(plan.moves):,}", f"{len(plan.stays):,}", f"{seconds:.2f}"


def _timed(planner: Callable[[], Plan]) -> tuple[Plan, float]:
    began = time.process_time()
    plan = planner()
    return plan, time.process_time() - began


def uneven(hosts: int) -> Fleet:
    """Hosts alike, of which the first are fuller than the last."""
    dice = random.Random(1)
    fleet = Fleet(HostView(f"host-{number:04d}", 16, 64 * GIB, 2**40) for number in range(hosts))
    free = [64 * GIB] * hosts
    for number in range(hosts * VMS_A_HOST):
        cpu = dice.choice((1, 2, 4, 8))
        ram = cpu * GIB * dice.choice((1, 2))
        row = next(row for row in iter(lambda: int(hosts * dice.random() ** 1.5), None) if free[row] >= ram)
        free[row] -= ram
        fleet.add(f"vm-{number:05d}", f"host-{row:04d}", Request(cpu, ram, vm=f"vm-{number:05d}"))
    return fleet
