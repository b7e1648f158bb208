"""How many decisions the scheduler makes in a second of processor, and how many VMs it fits into a fleet.

Beside it in the same run: Ganeti's ``hspace``, which allocates VMs of one size on a simulated cluster. Its start is
measured without an allocation and subtracted. Ours is measured with every filter and every scorer on, over a mix of
shapes, VMs coming and going.
"""

from __future__ import annotations

import random
import re
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
from minicloud_core.scheduler.decision import Decision
from minicloud_core.scheduler.filters import FILTERS
from minicloud_core.scheduler.fleet import Fleet
from minicloud_core.scheduler.host import HostView, NumaNode, Power
from minicloud_core.scheduler.pipeline import Scheduler
from minicloud_core.scheduler.policy import BALANCED, PACK, SPREAD, Policy
from minicloud_core.scheduler.request import Request
from minicloud_core.scheduler.scorers import SCORERS
from minicloud_core.scheduler.spread import Spread

from tests.bench import topology
from tests.bench.figures import Table

NOW = 1_000_000.0
EVERYTHING = Policy("everything", filters=tuple(FILTERS), weights=dict.fromkeys(SCORERS, 1.0))
GIB = 1024
SIZES = {100: 3000, 1000: 1500, 10_000: 500}
# VMs that hspace is to allocate, at most, and the seconds that it gets for them.
PEER = {100: 20, 1000: 1}
PATIENCE = 120
# Turns that ways to decide take when they are measured beside one another.
TURNS = 10

Decide = Callable[[Scheduler, Request], str | None]


def measure() -> list[Table]:
    """Speed, what explaining costs, and packing."""
    return [_speed(), _explaining(), _packing()]


def _speed() -> Table:
    return Table(
        "The scheduler",
        "Decisions per second of processor, with all filters and scorers on, also `n_plus_one`. VMs of 12 shapes come "
        "and go; with NUMA each lies on one or two nodes; the demanding ones also want labels, networks, an image and "
        "CPU features of their host, keep apart from their group where they can, and are counted by rack. hspace: "
        "Ganeti's, VMs of 2 GiB on hosts alike, its start not counted. The yardstick is what NumPy itself can do here: "
        "five filters and four scorers as bare expressions, nothing kept, named or explained.",
        ("hosts", "plain", "with NUMA", "demanding", "hspace", "plain / hspace", "yardstick", "yardstick / plain"),
        tuple(_speed_row(hosts, decisions) for hosts, decisions in SIZES.items()),
    )


def _speed_row(hosts: int, decisions: int) -> tuple[str, ...]:
    plain, numa, demanding = (
        _decisions_a_second(hosts, decisions, shapes, decide=_choose)
        for shapes in (_shapes(numa=False), _shapes(numa=True), _demands())
    )
    peer = _hspace(hosts, PEER[hosts]) if hosts in PEER else None
    beside = ("not tried", "") if peer is None else (f"{peer:.3g}", f"{plain / peer:.0f}")
    bare = _yardstick(hosts, decisions)
    ours = (f"{hosts:,}", f"{plain:,.0f}", f"{numa:,.0f}", f"{demanding:,.0f}")
    return (*ours, *beside, f"{bare:,.0f}", f"{bare / plain:.1f}")


def _yardstick(hosts: int, decisions: int) -> float:
    """Decisions per second of processor by nine bare expressions of NumPy."""
    dice = np.random.default_rng(1)
    ready, labelled = dice.random(hosts) < 2, dice.random(hosts) < 2
    cpu, ram, disk = np.full(hosts, 256.0), np.full(hosts, 256.0 * GIB), np.full(hosts, 2.0**42)
    each_cpu, each_ram, idle = 1 / cpu, 1 / ram, dice.random(hosts)
    wanted = [(float(one.cpu), float(one.ram_mib), float(one.disk_bytes)) for one in _shapes(numa=False)]
    there: list[tuple[int, tuple[float, float, float]]] = []
    began = time.process_time()
    for turn in range(decisions):
        of_cpu, of_ram, of_disk = wanted[turn % len(wanted)]
        passes = ready & labelled & (cpu >= of_cpu) & (ram >= of_ram) & (disk >= of_disk)
        free_cpu, free_ram = (cpu - of_cpu) * each_cpu, (ram - of_ram) * each_ram
        score = 1.0 * free_cpu + 1.0 * free_ram + 0.5 * idle + 0.5 * (1.0 - np.abs(free_cpu - free_ram))
        row = int(np.where(passes, score, -1.0).argmax())
        cpu[row], ram[row], disk[row] = cpu[row] - of_cpu, ram[row] - of_ram, disk[row] - of_disk
        there.append((row, wanted[turn % len(wanted)]))
        if len(there) > 3 * hosts:
            row, (of_cpu, of_ram, of_disk) = there.pop(0)
            cpu[row], ram[row], disk[row] = cpu[row] + of_cpu, ram[row] + of_ram, disk[row] + of_disk
    return decisions / (time.process_time() - began)


def _explaining() -> Table:
    return Table(
        "Explaining",
        "The same, plain, measured by turns: `choose` names the host; `place` keeps with each decision all that is "
        "needed to explain it later; written, each decision is put down at once as the service keeps it: up to a "
        "hundred hosts of those that would do and of those that refuse with their numbers, and all of them counted.",
        ("hosts", "choose", "place", "more than choose", "written", "more than choose"),
        tuple(_explaining_row(hosts, decisions) for hosts, decisions in SIZES.items()),
    )


def _explaining_row(hosts: int, decisions: int) -> tuple[str, ...]:
    dice = random.Random(1)
    churn = Churn(Scheduler(_fleet(hosts, dice), EVERYTHING), dice)
    shapes = _shapes(numa=False)
    churn.play([dice.choice(shapes) for _turn in range(200)], _choose)
    kept: list[Decision | dict[str, Any]] = []

    def place(scheduler: Scheduler, request: Request) -> str | None:
        kept.append(decision := scheduler.place(request, now=NOW))
        return decision.host

    def write(scheduler: Scheduler, request: Request) -> str | None:
        decision = scheduler.place(request, now=NOW)
        kept.append(decision.record)
        return decision.host

    seconds: dict[Decide, list[float]] = {_choose: [], place: [], write: []}
    for _turn in range(TURNS):
        for decide, taken in seconds.items():
            requests = [dice.choice(shapes) for _request in range(decisions // TURNS)]
            began = time.process_time()
            churn.play(requests, decide)
            taken.append((time.process_time() - began) / len(requests))
    chosen, placed, written = (median(taken) for taken in seconds.values())
    figures = (f"{1 / chosen:,.0f}", f"{1 / placed:,.0f}", f"{placed / chosen - 1:.0%}")
    return (f"{hosts:,}", *figures, f"{1 / written:,.0f}", f"{written / chosen - 1:.0%}")


def _choose(scheduler: Scheduler, request: Request) -> str | None:
    return scheduler.choose(request, now=NOW)


def _decisions_a_second(hosts: int, decisions: int, shapes: list[Request], *, decide: Decide) -> float:
    dice = random.Random(1)
    churn = Churn(Scheduler(_fleet(hosts, dice), EVERYTHING), dice)
    # What is asked for first is computed for all hosts: a service that runs has done so long ago.
    churn.play([dice.choice(shapes) for _turn in range(200)], _choose)
    requests = [dice.choice(shapes) for _turn in range(decisions)]
    began = time.process_time()
    churn.play(requests, decide)
    return decisions / (time.process_time() - began)


class Churn:
    """VMs that come and go: once there are three a host, one goes for each that comes."""

    def __init__(self, scheduler: Scheduler, dice: random.Random) -> None:
        self._scheduler, self._dice = scheduler, dice
        self._alive: list[str] = []
        self._count = 0

    def play(self, requests: list[Request], decide: Decide) -> None:
        for request in requests:
            host = decide(self._scheduler, request)
            assert host is not None, "the fleet of the benchmark is never full"
            self._count += 1
            self._scheduler.take(f"vm-{self._count}", host, request)
            self._alive.append(f"vm-{self._count}")
            if len(self._alive) > 3 * len(self._scheduler.fleet):
                self._scheduler.fleet.remove(self._alive.pop(self._dice.randrange(len(self._alive))))


def _fleet(hosts: int, dice: random.Random) -> Fleet:
    nodes = (NumaNode(32, 128 * GIB),) * 2
    return Fleet(
        HostView(
            f"host-{number:05d}",
            64,
            256 * GIB,
            2**42,
            load=dice.random(),
            load_at=NOW,
            numa=nodes,
            labels={"rack": str(number % 20), "disk": "nvme" if number % 4 else "ssd"},
            architecture="x86_64",
            cpu_features=frozenset({"avx2", "aes"}),
            networks=frozenset({"lan", "dmz"}),
            images=frozenset({"debian"} if number % 2 else ()),
            power=Power(100, 400),
        )
        for number in range(hosts)
    )


def _shapes(*, numa: bool) -> list[Request]:
    return [
        Request(cpu, cpu * ram, 10 * 2**30, numa=(2 if cpu >= 16 else 1) if numa else 0)
        for cpu in (1, 2, 4, 8, 16, 32)
        for ram in (2 * GIB, 4 * GIB)
    ]


def _demands() -> list[Request]:
    return [
        replace(
            shape,
            group=f"group-{number}",
            spread=(Spread("rack", 1 << 20),),
            prefer_apart=(f"group:group-{number}",),
            host_labels={"disk": "nvme"},
            architecture="x86_64",
            cpu_features=frozenset({"avx2"}),
            networks=frozenset({"lan"}),
            image="debian",
        )
        for number, shape in enumerate(_shapes(numa=False))
    ]


def _hspace(hosts: int, vms: int) -> float | None:
    """Allocations per second of processor; None where it is not installed or takes too long."""
    try:
        start, _none = _run_hspace(hosts, 0)
        whole, allocated = _run_hspace(hosts, vms)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return allocated / (whole - start)


def _run_hspace(hosts: int, vms: int) -> tuple[float, int]:
    """Seconds of processor, and VMs allocated: as large as will fit first, then of the size that is asked for."""
    program = shutil.which("hspace")
    if program is None:
        raise FileNotFoundError("hspace")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = subprocess.run(
        [
            program,
            f"--simulate=p,{hosts},4T,256G,64",
            "--disk-template=plain",
            "--standard-alloc=10g,2g,2",
            f"--max-length={vms}",
            "--machine-readable",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    counts = re.findall(r"^HTS_(?:TRL|FIN)_INST_CNT=(\d+)$", answer.stdout, re.MULTILINE)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, sum(map(int, counts))


def _packing() -> Table:
    return Table(
        "Packing",
        "VMs placed before the first refusal: 1,710 part-filled hosts of a real cloud with two NUMA nodes each, and "
        "its requests C1 and then C2 (`tests/bench/data/topology`), capacity and NUMA only.",
        ("policy", "placed", "of first-fit", "decisions a second of processor"),
        tuple(_packing_rows()),
    )


def _packing_rows() -> Iterator[tuple[str, ...]]:
    floor, _seconds = _fill(Policy("first-fit"))
    for policy in (Policy("first-fit"), SPREAD, BALANCED, PACK):
        placed, seconds = _fill(policy)
        yield policy.name, f"{placed:,}", f"{placed / floor:.2f}", f"{placed / seconds:,.0f}"


def _fill(policy: Policy) -> tuple[int, float]:
    """VMs placed before the first refusal, and seconds of processor."""
    scheduler = Scheduler(Fleet(topology.hosts()), replace(policy, limits=topology.AS_FREE))
    requests = topology.requests()
    began = time.process_time()
    return topology.placed_before_refusal(scheduler, requests), time.process_time() - began
